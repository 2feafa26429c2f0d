"""The endpoint under test, whoever serves it: an address, and what it is said to lack."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

# What an endpoint may be declared to lack. Everything else is the contract, and is tested of all.
CAPABILITIES = {
    "ping": "GET /ping",
    "chat-route": "POST /v1/chat/completions, GET /v1/models; without it chats go to /invocations",
    "tgi": "TGI's routes, and its form of body on /invocations",
    "tokenize": "POST /tokenize, as vLLM has it",
    "metrics": "GET /metrics for Prometheus",
    "openapi": "GET /openapi.json with schemas that hold",
    "strict-fields": "unknown fields are refused by name",
    "cached-tokens": "usage says how much of a prompt was known",
    "seed": "a seed repeats a drawn answer",
    "batch-invariance": "at temperature 0 an answer does not depend on what is computed beside it",
}
QUESTION = [{"role": "system", "content": "Answer with SQL."}, {"role": "user", "content": "Which port? Zürich 🚢"}]


@dataclass(frozen=True)
class Endpoint:
    """Where to send requests. Requests may take minutes: a CPU serves real models, too."""

    url: str
    lacks: frozenset[str]
    model: str | None  # its name, for servers that insist on it

    @property
    def chat_path(self) -> str:
        return "/invocations" if "chat-route" in self.lacks else "/v1/chat/completions"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=300)

    def chat_body(self, **more: Any) -> dict[str, Any]:
        named = {"model": self.model} if self.model else {}
        return {"messages": QUESTION, "temperature": 0, "max_tokens": 24, **named, **more}

    def post(self, path: str, body: Any) -> httpx.Response:
        """Send JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.client() as client:
            return client.post(path, content=content, headers={"Content-Type": "application/json"})

    def chat(self, **more: Any) -> dict[str, Any]:
        """A chat that must succeed: greedy, 24 tokens, unless told otherwise."""
        response = self.post(self.chat_path, self.chat_body(**more))
        assert response.status_code == 200, response.text
        return response.json()

    def events(self, path: str, body: dict[str, Any]) -> list[str]:
        """The data of all events of a stream."""
        with self.client() as client, client.stream("POST", path, json=body) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"].startswith("text/event-stream")
            return [line.removeprefix("data:").strip() for line in response.iter_lines() if line]


def content(reply: dict[str, Any]) -> str:
    """The answer's text."""
    return reply["choices"][0]["message"]["content"]


def needs(capability: str) -> pytest.MarkDecorator:
    """Skip where the endpoint is declared to lack this."""
    assert capability in CAPABILITIES
    return pytest.mark.needs(capability)
