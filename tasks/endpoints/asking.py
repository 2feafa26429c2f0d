"""How an endpoint is asked one test row, and how its reply is read. Each form is one kind of endpoint."""

import os
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.sections.stages import EvaluationSection

TEMPERATURE = 0.0


class TestRow(Frozen):
    """One row of test.parquet: the messages that are sent, and the fields that the answer is judged by."""

    __test__ = False  # not a test class, whatever pytest thinks

    id: str
    prompt: list[dict[str, str]]
    fields: dict[str, str]
    slice: str | None = None


class Reply(Frozen):
    """What an endpoint said."""

    text: str
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)
    finish_reason: str | None = None


class Access(Frozen):
    """What a server that is not ours wants to know: which of its models is meant, and a key."""

    model: str | None = None
    key_variable: str | None = Field(
        None,
        description="Environment variable that holds the key. The key itself is read where it is used, and only there.",
    )

    def key(self) -> str | None:
        """The key; None where none is wanted. Raises EnvironmentProblem when the variable is not set."""
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable)
        if not key:
            raise EnvironmentProblem(
                f"the environment variable {self.key_variable}, which should hold the endpoint's key, is not set here"
            )
        return key


OURS = Access()


def address_of(url: str) -> str:
    """A server's address as the routes want it. People give it with the /v1 that OpenAI's clients want, or without."""
    return url.rstrip("/").removesuffix("/v1")


class Form(Protocol):
    """One kind of request."""

    @property
    def name(self) -> str:
        """What a reply is called in an error message."""

    @property
    def protocol(self) -> str:
        """Whose form it is, for a person."""

    @property
    def route(self) -> str:
        """Where the request goes."""

    def sample(self, model: str) -> dict[str, Any]:
        """What a person sends to an endpoint of this name."""

    def body(self, row: TestRow, section: EvaluationSection) -> dict[str, Any]:
        """The JSON that is sent."""

    def read(self, body: Any) -> Reply:
        """The reply in the JSON that came. Raises LookupError, TypeError, AttributeError or ValidationError when it is none."""


class ChatForm:
    """OpenAI's chat completions, greedy."""

    name = "a chat completion"
    protocol = "OpenAI's protocol"
    route = "/v1/chat/completions"

    def sample(self, model: str) -> dict[str, Any]:
        """A question in a message."""
        return {"model": model, "messages": [{"role": "user", "content": "..."}], "temperature": 0}

    def body(self, row: TestRow, section: EvaluationSection) -> dict[str, Any]:
        """The row's prompt as messages."""
        return {"messages": row.prompt, "max_tokens": section.max_new_tokens, "temperature": TEMPERATURE}

    def read(self, body: Any) -> Reply:
        """The text of the first choice."""
        choice, usage = body["choices"][0], body.get("usage") or {}
        return Reply(
            text=choice["message"]["content"] or "",
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
            finish_reason=choice.get("finish_reason"),
        )


CHAT = ChatForm()


@dataclass(frozen=True)
class Server:
    """Whom to ask: its address, in which form, and what it wants to know when it is not ours."""

    url: str
    form: Form = CHAT
    access: Access = OURS
