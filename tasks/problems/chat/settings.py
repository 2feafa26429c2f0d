"""Who rates the answers of a chat."""

from pydantic import ConfigDict, Field

from finetune_flows.tasks.sections.section import Section

RATING = "rating"


class Judge(Section):
    """A language model that rates the answers, at any address that speaks OpenAI's chat API."""

    model_config = ConfigDict(title="Judge", protected_namespaces=())

    url: str = Field(pattern=r"^https?://[^@\s]+$", description="Address of the server, with or without /v1.")
    model: str = Field(min_length=1, description="Which of its models rates.")
    key_variable: str | None = Field(None, description="Environment variable that holds the server's key.")
    instruction: str = Field(
        "Rate how well the answer serves the user, from 1 (useless or wrong) to 10 (as good as the reference answer or "
        'better). Length is no merit. Reply with JSON alone: {"rating": 7}',
        min_length=1,
        description='What the judge is told. It has to ask for {"rating": 1 to 10}; conversation, reference and answer follow.',
    )
    concurrency: int = Field(8, ge=1, le=256, description="Requests to the judge under way at once.")
