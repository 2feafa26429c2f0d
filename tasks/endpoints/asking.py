"""Makes a request from a test row and reads the reply. There is one form for each kind of endpoint."""

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from finetune_flows.tasks.base.errors import EndpointFailed, EnvironmentProblem
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.sections.stages import EvaluationSection

TEMPERATURE = 0.0


class TestRow(Frozen):
    """One row of test.parquet: the messages to send, and the fields that the answer is judged by."""

    __test__ = False  # pytest would collect it as a test class because of its name

    id: str
    prompt: list[dict[str, Any]]
    fields: dict[str, str]
    slice: str | None = None


class Reply(Frozen):
    """An endpoint's reply to one request."""

    text: str
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)
    finish_reason: str | None = None


class Access(Frozen):
    """What a server of someone else requires: the name of a model and an API key."""

    model: str | None = None
    key_variable: str | None = Field(
        None,
        description="Environment variable that holds the key. The key itself is read only where it is used.",
    )

    def key(self) -> str | None:
        """The key; None if the server needs none. Raises EnvironmentProblem when the variable is not set."""
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable)
        if not key:
            raise EnvironmentProblem(
                f"the environment variable {self.key_variable} is not set here; set it to the endpoint's key"
            )
        return key


OURS = Access()


def address_of(url: str) -> str:
    """A server's address without /v1, which the routes add. OpenAI's clients need it, so people give it with or without."""
    return url.rstrip("/").removesuffix("/v1")


def check_address(url: str) -> None:
    """Raises EndpointFailed when no server can have this address."""
    try:
        parts = urlsplit(str(httpx.URL(url)))
        sound = bool(re.fullmatch(r"[\w.:-]+", parts.hostname or "")) and parts.port != 0 and not parts.query
    except (httpx.InvalidURL, ValueError) as error:
        raise EndpointFailed(f"{url} is no address of a server: {error}") from error
    if not sound:
        raise EndpointFailed(f"{url} is no address of a server; write it as http://host:port")


def as_sent(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages in OpenAI's form: the arguments of a call are text there, and an object for chat templates."""
    sent = []
    for message in messages:
        calls = [
            call | {"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"])}}
            for call in message.get("tool_calls", ())
        ]
        sent.append(message | ({"tool_calls": calls} if calls else {}))
    return sent


class Form(Protocol):
    """How to ask one kind of endpoint."""

    @property
    def name(self) -> str:
        """The name of a reply in error messages, such as `a chat completion`."""

    @property
    def protocol(self) -> str:
        """The name of the protocol in documentation, such as `OpenAI's protocol`."""

    @property
    def route(self) -> str:
        """The path of the request, relative to the endpoint."""

    def sample(self, model: str) -> dict[str, Any]:
        """An example body for an endpoint of this name, to show to people."""

    def body(self, row: TestRow, section: EvaluationSection) -> dict[str, Any]:
        """The JSON body of the request for a row."""

    def read(self, body: Any) -> Reply:
        """The reply in a JSON body. Raises LookupError, TypeError, AttributeError or ValidationError when it has none."""


class ChatForm:
    """OpenAI's chat completions with greedy decoding."""

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
    """The endpoint to ask: how to reach it, the form of its requests, and the access it requires if it is not ours."""

    connection: Connection
    form: Form = CHAT
    access: Access = OURS
