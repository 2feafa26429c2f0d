"""Requests that would keep the server busy, fill its memory or end it: refused with 400, and quickly."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from finetune_flows.containers.serving.engine import BadGrammar
from finetune_flows.containers.serving.grammar_check import DEEPEST, MOST_CHARACTERS, MOST_RULES, refuse_too_large
from tests.containers.serving.running_server import Server

QUESTION = [{"role": "user", "content": "Which port?"}]
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60)


def chain(length: int) -> str:
    """Rules that each refer to the next one."""
    rules = "".join(f'rule_{at}: "a" rule_{at + 1} | "b"\n' for at in range(length - 2))
    return f'start: rule_0\n{rules}rule_{length - 2}: "c"'


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


GRAMMARS = {
    "deep": (chain(DEEPEST + 1), "deep, and may"),
    "of many rules": ("start: rule_0\n" + "".join(f'rule_{at}: "a"\n' for at in range(MOST_RULES)), "rules, and may"),
    "long": (f'start: "{"a" * MOST_CHARACTERS}"', "characters, and may"),
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_grammar_beyond_the_limits_is_refused_before_it_is_compiled(name: str) -> None:
    grammar, words = GRAMMARS[name]
    with pytest.raises(BadGrammar, match=words):
        refuse_too_large(grammar)


def test_rules_in_a_circle_are_no_chain_without_end() -> None:
    refuse_too_large(chain(DEEPEST) + "\nloop: other\nother: loop start")
    with pytest.raises(BadGrammar):
        refuse_too_large(chain(DEEPEST).replace('"c"', "loop") + "\nloop: other\nother: loop start")


def test_names_in_texts_and_expressions_are_no_references() -> None:
    refuse_too_large("start: " + " ".join(f'"rule_{at}" /rule_{at}/' for at in range(300)) + "\nrule_1: start")


BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "a deep grammar": ({"structured_outputs": {"grammar": chain(1000)}}, "structured_outputs.grammar: its rules"),
    "a deep schema": ({"guided_json": nested(100)}, "guided_json: more than"),
    "a large schema": ({"guided_json": {"enum": ["x" * 300_000]}}, "guided_json: more than"),
    "a long expression": ({"guided_regex": "a" * 30_000}, "guided_regex: String should have at most"),
    "many choices": ({"guided_choice": ["a"] * 2000}, "guided_choice: List should have at most"),
    "a long prompt": ({"messages": [{"role": "user", "content": "port " * 1_200_000}]}, "prompt: it has more than"),
    "many messages": ({"messages": [QUESTION[0]] * 5000}, "messages: List should have at most"),
    "many wrong messages": ({"messages": [5] * 1_500_000}, "messages.0: "),
    "many wrong stops": ({"stop": [5] * 1_500_000}, "stop.0: "),
    "many wrong tokens": ({"stop_token_ids": ["x"] * 1_000_000}, "stop_token_ids.0: "),
    "many unknown fields": ({f"field_{at}": 1 for at in range(200_000)}, "body: more than"),
    "a long unknown field": ({"x" * 1_000_000: 1}, "x" * 100 + ": Extra"),
    "long labels": ({"metadata": {"a": ["b"] * 200_000}}, "metadata: more than"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_costs_too_much_is_refused_in_few_words(client: httpx.Client, name: str) -> None:
    more, words = BODIES[name]
    began = time.monotonic()
    response = client.post(CHAT, content=json.dumps({"messages": QUESTION, **more}))
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(words), response.json()
    assert len(response.content) < 4000
    assert time.monotonic() - began < 20


def test_a_grammar_within_the_limits_is_followed(client: httpx.Client) -> None:
    body = {
        "messages": QUESTION,
        "structured_outputs": {"grammar": chain(DEEPEST)},
        "temperature": 0,
        "max_tokens": 400,
    }
    assert set(client.post(CHAT, json=body).json()["choices"][0]["message"]["content"]) <= {*"abc"}


def test_headers_that_come_too_slowly_are_not_waited_for(root: Path) -> None:
    server = Server(root, SERVING_REQUEST_SECONDS="3")
    address = server.wait_until_ready().removeprefix("http://").split(":")
    try:
        for first in (b"", b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"):  # at once, and after an answered request
            with socket.create_connection((address[0], int(address[1])), timeout=30) as client:
                client.sendall(first)
                if first:
                    assert b"200" in client.recv(4096)
                began = time.monotonic()
                client.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                while client.recv(4096):
                    pass
                assert 1 < time.monotonic() - began < 15
        with httpx.Client(base_url="http://" + ":".join(address)) as patient:
            assert patient.get("/ping").status_code == 200
            time.sleep(4)  # a connection between two requests is not slow
            assert patient.get("/ping").status_code == 200
    finally:
        assert server.stop() == 0
