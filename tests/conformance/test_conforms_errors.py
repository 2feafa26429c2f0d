"""What an endpoint does with requests that it cannot answer: it says so, in the form its clients know, and goes on."""

import json
from typing import Any

import pytest

from tests.conformance.endpoint import QUESTION, Endpoint, content, needs

BAD_BODIES = {
    "not JSON": b"{",
    "not an object": b"[]",
    "nothing": b"",
    "no text": b"\xff\xfe",
    "too deep": b"[" * 100_000,
}
BAD_FIELDS: dict[str, dict[str, Any]] = {
    "messages": {"messages": "hello"},
    "role": {"messages": [{"content": "x"}]},
    "temperature": {"temperature": -1},
    "top_p": {"top_p": 1.5},
    "max_tokens": {"max_tokens": -1},
    "stream": {"stream": "perhaps"},
}


def refused(endpoint: Endpoint, path: str, body: Any) -> str:
    """The message of a refusal in OpenAI's form."""
    response = endpoint.post(path, body)
    assert 400 <= response.status_code < 500, response.text[:300]
    error = response.json()["error"]
    assert error["message"]
    assert error["type"]
    return error["message"]


@pytest.fixture(autouse=True)
def _goes_on(endpoint: Endpoint):
    """After each of these the endpoint answers as before."""
    before = content(endpoint.chat())
    yield
    assert content(endpoint.chat()) == before


@pytest.mark.parametrize("kind", BAD_BODIES)
def test_a_body_that_is_no_request(endpoint: Endpoint, kind: str):
    refused(endpoint, endpoint.chat_path, BAD_BODIES[kind])


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_a_field_that_is_wrong(endpoint: Endpoint, field: str):
    assert field in refused(endpoint, endpoint.chat_path, endpoint.chat_body(**BAD_FIELDS[field]))


def test_no_messages_at_all(endpoint: Endpoint):
    body = endpoint.chat_body()
    del body["messages"]
    refused(endpoint, endpoint.chat_path, body)


@needs("strict-fields")
def test_empty_messages(endpoint: Endpoint):
    assert "messages" in refused(endpoint, endpoint.chat_path, endpoint.chat_body(messages=[]))


@needs("strict-fields")
def test_unknown_fields_are_named(endpoint: Endpoint):
    assert "max_token" in refused(endpoint, endpoint.chat_path, endpoint.chat_body(max_token=5))
    misspelt = [{**QUESTION[0], "contents": "x"}]
    assert "contents" in refused(endpoint, endpoint.chat_path, endpoint.chat_body(messages=misspelt))


def test_half_a_character(endpoint: Endpoint):
    body = endpoint.chat_body(messages=[{"role": "user", "content": "\ud800"}])
    assert endpoint.post(endpoint.chat_path, body).status_code in (200, 400)  # replaced, or refused; never a failure


def test_a_very_long_prompt(endpoint: Endpoint):
    body = endpoint.chat_body(messages=[{"role": "user", "content": "port " * 400_000}])
    refused(endpoint, endpoint.chat_path, body)


def test_an_answer_longer_than_the_window(endpoint: Endpoint):
    refused(endpoint, endpoint.chat_path, endpoint.chat_body(max_tokens=10_000_000))


@needs("chat-route")
def test_unknown_paths_and_methods(endpoint: Endpoint):
    with endpoint.client() as client:
        assert client.get("/no/such/route").status_code == 404
        assert client.get("/v1/chat/completions").status_code == 405


@needs("tgi")
@pytest.mark.parametrize("path", ["/", "/generate", "/generate_stream", "/invocations"])
def test_tgi_requests_are_refused_in_tgis_words(endpoint: Endpoint, path: str):
    wrong: list[dict[str, Any]] = [
        {"inputs": ""},
        {"inputs": "x", "parameters": {"temperature": -1}},
        {"inputs": "x", "parameters": {"best_of": 2}},
        {"inputs": "x", "parameters": {"max_new_tokens": 10_000_000}},
        {"inputs": "port " * 400_000},
    ]
    for body in wrong:
        response = endpoint.post(path, body)
        assert response.status_code == 422, json.dumps(body)[:100]
        assert response.json()["error_type"] == "validation"
        assert response.json()["error"]
