"""Settings of the judge that rates the answers of a chat."""

from pydantic import ConfigDict, Field

from finetune_flows.tasks.sections.section import Section

RATING = "rating"


class Judge(Section):
    """A language model that rates the answers, on any server with OpenAI's chat API."""

    model_config = ConfigDict(title="Judge", protected_namespaces=())

    url: str = Field(pattern=r"^https?://[^@\s]+$", description="Address of the server, with or without /v1.")
    model: str = Field(min_length=1, description="Name of the model that rates.")
    key_variable: str | None = Field(None, description="Environment variable with the server's key.")
    instruction: str = Field(
        "Rate how well the answer serves the user, from 1 (useless or wrong) to 10 (as good as the reference answer or "
        'better). Length is no merit. Reply with JSON alone: {"rating": 7}',
        min_length=1,
        description='System message for the judge. It must ask for {"rating": 1 to 10}. Conversation, reference and answer '
        "follow.",
    )
    concurrency: int = Field(8, ge=1, le=256, description="Concurrent requests to the judge.")
