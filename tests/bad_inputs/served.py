"""Both kinds of server with tiny models, and a request that shows whether they still answer as before."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.containers.serving.lively_model import lively_model
from tests.containers.serving.running_server import Server
from tests.support.tiny_classifier import build_tiny_encoder

CHAT, COMPLETIONS, GENERATE, INVOCATIONS = "/v1/chat/completions", "/v1/completions", "/generate", "/invocations"
QUESTION = [{"role": "user", "content": "Which port?"}]


@dataclass(frozen=True)
class Served:
    """A running server, and a sound body for each of its routes."""

    url: str
    bodies: dict[str, dict[str, Any]]

    def post(self, route: str, content: bytes | str, **headers: str) -> httpx.Response:
        """The reply to a body as it is."""
        given = {"Content-Type": "application/json"} | headers
        return httpx.post(self.url + route, content=content, headers=given, timeout=60)

    def answers(self) -> list[Any]:
        """What it says to each sound body, without what differs each time."""
        replies = [self.post(route, json.dumps(body)) for route, body in self.bodies.items()]
        assert [reply.status_code for reply in replies] == [200] * len(replies), [reply.text[:300] for reply in replies]
        return [_said(reply.json()) for reply in replies]


def _said(reply: Any) -> Any:
    return reply.get("choices", reply) if isinstance(reply, dict) else reply


@contextmanager
def text_server(folder: Path) -> Iterator[Served]:
    """One that generates text."""
    lively_model(folder / "model", window=512)
    with _running(folder) as url:
        yield Served(
            url,
            {
                CHAT: {"messages": QUESTION, "temperature": 0, "max_tokens": 5},
                COMPLETIONS: {"prompt": "Which port?", "temperature": 0, "max_tokens": 5},
                GENERATE: {"inputs": "Which port?", "parameters": {"max_new_tokens": 5}},
                INVOCATIONS: {"messages": QUESTION, "temperature": 0, "max_tokens": 5},
                "/tokenize": {"prompt": "Which port?"},
            },
        )


@contextmanager
def classifier_server(folder: Path) -> Iterator[Served]:
    """One that classifies."""
    encoder = build_tiny_encoder(folder / "encoder")
    names = {0: "negative", 1: "positive"}
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=2, id2label=names)
    model.save_pretrained(folder / "model")
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder / "model")
    with _running(folder) as url:
        yield Served(url, {INVOCATIONS: {"inputs": ["a fine film", "a dull one"], "parameters": {"top_k": 2}}})


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    server = Server(folder, SERVING_MAX_QUEUE="64", SERVING_REQUEST_SECONDS="30")
    try:
        yield server.wait_until_ready()
        assert server.stop() == 0, server.lines[-20:]
        assert not any("Traceback" in line for line in server.lines), server.lines[-40:]
    finally:
        server.process.kill()
