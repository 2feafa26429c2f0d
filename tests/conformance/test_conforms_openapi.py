"""/openapi.json: real answers, errors and stream events are what it says they are."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.conformance.endpoint import QUESTION, Endpoint, needs

pytestmark = needs("openapi")
TGI = {"inputs": "Which port?", "parameters": {"max_new_tokens": 5, "details": True}}
BAD = {"nonsense": 1}


@pytest.fixture(scope="module")
def document(endpoint: Endpoint) -> dict[str, Any]:
    with endpoint.client() as client:
        return client.get("/openapi.json").json()


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Raises when the value is not what the schema says, or has a field that it does not mention."""
    closed = json.loads(json.dumps(document["components"]["schemas"]))
    for each in closed.values():
        if each.get("type") == "object":
            each["additionalProperties"] = False
    Draft202012Validator({**schema, "components": {"schemas": closed}}).validate(value)


def schema_of(document: dict[str, Any], path: str, status: str, kind: str = "application/json") -> dict[str, Any]:
    (operation,) = document["paths"][path].values()
    return operation["responses"][status]["content"][kind]["schema"]


POSTS = {
    "chat": ("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 5}),
    "chat, parts and stop": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}], "max_tokens": 5, "stop": "no"},
    ),
    "tokenize": ("/tokenize", {"messages": QUESTION}),
    "invocations, chat": ("/invocations", {"messages": QUESTION, "max_tokens": 5}),
    "invocations, TGI": ("/invocations", TGI),
    "TGI": ("/", TGI),
    "TGI, generate": ("/generate", {"inputs": "x", "parameters": {"max_new_tokens": 2}}),
}


@pytest.mark.parametrize("name", POSTS)
def test_answers_and_errors_are_as_described(endpoint: Endpoint, document: dict[str, Any], name: str):
    path, body = POSTS[name]
    answer = endpoint.post(path, body)
    assert answer.status_code == 200
    check(document, schema_of(document, path, "200"), answer.json())
    request = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    check(document, request, body)
    error = endpoint.post(path, {**body, **BAD})
    assert error.status_code in (400, 422)
    check(document, schema_of(document, path, "4XX"), error.json())


@pytest.mark.parametrize("path", ["/v1/models", "/info"])
def test_what_is_only_read_is_as_described(endpoint: Endpoint, document: dict[str, Any], path: str):
    with endpoint.client() as client:
        check(document, schema_of(document, path, "200"), client.get(path).json())


STREAMS = {
    "chat": ("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 5, "stream": True}),
    "chat with usage": (
        "/v1/chat/completions",
        {"messages": QUESTION, "max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}},
    ),
    "TGI": ("/generate_stream", TGI),
}


@pytest.mark.parametrize("name", STREAMS)
def test_stream_events_are_as_described(endpoint: Endpoint, document: dict[str, Any], name: str):
    path, body = STREAMS[name]
    events = [event for event in endpoint.events(path, body) if event != "[DONE]"]
    schema = schema_of(document, path, "200", "text/event-stream")
    assert len(events) >= 2
    for event in events:
        check(document, schema, json.loads(event))
