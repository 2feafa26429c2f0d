"""Requests that are none, to both servers: refused in few words, in the API's own form, and the next answer is as before."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.bad_inputs.served import CHAT, COMPLETIONS, GENERATE, INVOCATIONS, Served, classifier_server, text_server

SECONDS = 30.0
LONGEST = 4_000  # characters of a refusal


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with text_server(tmp_path_factory.mktemp("text")) as served:
        yield served


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with classifier_server(tmp_path_factory.mktemp("classifier")) as served:
        yield served


@pytest.fixture(scope="module", params=["text", "classifier"])
def served(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


# Bodies that are no request of any route.
NONSENSE: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b"   \n",
    "half an object": b"{",
    "a word": b'"hello"',
    "a number": b"7",
    "null": b"null",
    "a list": b"[]",
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 100_000,
    "lists in lists that end": b"[" * 20_000 + b"]" * 20_000,
    "a comma too many": b'{"inputs": "x",}',
    "two objects": b'{"inputs": "x"}{"inputs": "y"}',
    "not UTF-8": b'{"inputs": "caf\xe9"}',
    "NUL bytes": bytes(1000),
    "a gzip file": b"\x1f\x8b\x08\x00" + bytes(100),
    "a form": b"inputs=x&messages=y",
    "XML": b"<inputs>x</inputs>",
    "not a number": b'{"inputs": NaN, "messages": Infinity}',
    "digits": b'{"inputs": "x", "messages": ' + b"9" * 100_000 + b"}",
    "an unknown field": b'{"nonsense": 1}',
    "a field of a megabyte": b'{"' + b"x" * 1_000_000 + b'": 1}',
    "many fields": json.dumps({f"field_{at}": at for at in range(100_000)}).encode(),
    "nulls": b'{"inputs": null, "messages": null, "prompt": null}',
    "a body that is too large": b'{"inputs": "' + b"x" * 7_000_000 + b'"}',
}


def check_refusal(served: Served, route: str, content: bytes, *words: str) -> None:
    began = time.monotonic()
    reply = served.post(route, content)
    shown = reply.text[:1000]
    assert 400 <= reply.status_code < 500, shown
    message = reply.json()["error"]
    message = message if isinstance(message, str) else message["message"]
    assert message
    for word in words:
        assert word in message, shown
    assert len(reply.content) < LONGEST, shown
    assert "Traceback" not in reply.text
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("name", NONSENSE)
def test_a_body_that_is_no_request(name: str, served: Served) -> None:
    for route in served.bodies:
        check_refusal(served, route, NONSENSE[name])
    served.answers()


# By route: fields that are wrong, and the name that the refusal gives.
WRONG: dict[str, list[tuple[dict[str, Any], str]]] = {
    CHAT: [
        ({"messages": {}}, "messages"),
        ({"messages": [[]]}, "messages.0"),
        ({"messages": [{"role": 1, "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": {"a": 1}}]}]}, "messages.0.content"),
        ({"messages": [{"role": "", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "r" * 20_000, "content": "x"}]}, "messages.0.role"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 1e300}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": -5}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"min_p": -1}, "min_p"),
        ({"n": 0}, "n"),
        ({"n": 1_000_000}, "n"),
        ({"n": 10**30}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**18}, "max_tokens"),
        ({"max_tokens": 10**40}, "max_tokens"),
        ({"max_tokens": 5.5}, "max_tokens"),
        ({"max_tokens": [5]}, "max_tokens"),
        ({"seed": 2**70}, "seed"),
        ({"seed": "x"}, "seed"),
        ({"stop": {}}, "stop"),
        ({"stop": ["a"] * 100}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stop_token_ids": [-1]}, "stop_token_ids"),
        ({"stop_token_ids": [2**40]}, "stop_token_ids"),
        ({"frequency_penalty": 99}, "frequency_penalty"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"stream": "perhaps"}, "stream"),
        ({"stream_options": {"nonsense": True}}, "stream_options"),
        ({"logprobs": True, "top_logprobs": 10_000}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"guided_regex": "("}, "guided_regex"),
        ({"guided_json": {"type": "no-such-type"}}, "guided_json"),
        ({"guided_choice": []}, "guided_choice"),
        ({"guided_grammar": "start: nothing"}, "guided_grammar"),
        ({"tools": [{}]}, "tools.0"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs"),
        ({"chat_template_kwargs": {"x" * 5000: 1}}, "chat_template_kwargs"),
        ({"model": 7}, "model"),
        ({"metadata": []}, "metadata"),
    ],
    COMPLETIONS: [
        ({"prompt": {}}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [None]}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [1.5]}, "prompt"),
        ({"prompt": [10**9]}, "prompt"),
        ({"prompt": [2**80]}, "prompt"),
        ({"prompt": ["x"] * 1000}, "prompt"),
        ({"prompt": ["x", 1]}, "prompt"),
        ({"prompt": "x " * 100_000}, "prompt"),
        ({"echo": True}, "echo"),
        ({"best_of": 5}, "best_of"),
        ({"logprobs": -1}, "logprobs"),
    ],
    GENERATE: [
        ({"inputs": ""}, "inputs"),
        ({"inputs": ["x"]}, "inputs"),
        ({"inputs": "\ud800"}, "inputs"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"max_new_tokens": 0}}, "max_new_tokens"),
        ({"parameters": {"max_new_tokens": 10**30}}, "max_new_tokens"),
        ({"parameters": {"truncate": 0}}, "truncate"),
        ({"parameters": {"watermark": True}}, "watermark"),
        ({"parameters": {"grammar": {"type": "regex", "value": {}}}}, "grammar"),
    ],
    "/tokenize": [
        ({"prompt": 7}, "prompt"),
        ({"prompt": None, "messages": 7}, "messages"),
        ({"prompt": "x", "messages": [{"role": "user", "content": "x"}]}, ""),
        ({"prompt": "x " * 2_000_000}, "prompt"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("route", WRONG)
def test_a_field_that_is_wrong_is_named(route: str, text: Served) -> None:
    before = text.answers()
    for fields, name in WRONG[route]:
        check_refusal(text, route, json.dumps(text.bodies[route] | fields).encode(), name)
    assert text.answers() == before


CLASSIFIER: dict[str, tuple[dict[str, Any], str]] = {
    "no text": ({"inputs": ""}, "inputs"),
    "a number": ({"inputs": 7}, "inputs"),
    "an object": ({"inputs": {"text": "x"}}, "inputs"),
    "a list of nothing": ({"inputs": []}, "inputs"),
    "a list of numbers": ({"inputs": [1, 2]}, "inputs"),
    "a list of lists": ({"inputs": [["x"]]}, "inputs"),
    "a list with an empty text": ({"inputs": ["x", ""]}, "inputs"),
    "half a character": ({"inputs": "\ud800"}, "inputs"),
    "a list with half a character": ({"inputs": ["x", "\udfff"]}, "inputs"),
    "a long text": ({"inputs": "x " * 90_000}, "inputs"),
    "a far too long text": ({"inputs": "x" * 300_000}, "inputs"),
    "many texts": ({"inputs": ["x"] * 2_000}, "inputs"),
    "very many texts": ({"inputs": ["x"] * 1_000_000}, "inputs"),
    "very many wrong texts": ({"inputs": [5] * 1_500_000}, "inputs"),
    "no labels": ({"parameters": {"top_k": 0}}, "top_k"),
    "labels in words": ({"parameters": {"top_k": "all"}}, "top_k"),
    "part of a label": ({"parameters": {"top_k": 1.5}}, "top_k"),
    "a doubtful truth": ({"parameters": {"truncation": "perhaps"}}, "truncation"),
    "an unknown parameter": ({"parameters": {"temperature": 1}}, "temperature"),
    "an unsupported one": ({"parameters": {"function_to_apply": "none"}}, "function_to_apply"),
    "parameters in a list": ({"parameters": []}, "parameters"),
    "messages": ({"messages": []}, "messages"),
}


@pytest.mark.parametrize("name", CLASSIFIER)
def test_a_field_of_a_classifier_that_is_wrong_is_named(name: str, classifier: Served) -> None:
    fields, word = CLASSIFIER[name]
    before = classifier.answers()
    check_refusal(classifier, INVOCATIONS, json.dumps(classifier.bodies[INVOCATIONS] | fields).encode(), word)
    assert classifier.answers() == before


def test_a_wrong_kind_of_content_is_read_as_json_or_refused(served: Served) -> None:
    """Clients of SageMaker often send no type at all."""
    for kind in ("text/plain", "application/xml", "", "application/json; charset=utf-16", "a/b" * 3000):
        for route, body in served.bodies.items():
            reply = served.post(route, json.dumps(body), **{"Content-Type": kind})
            assert reply.status_code in (200, 400, 415, 422, 431)
    served.answers()


# Requests as they are on the wire, and the statuses of which the first reply has one. None: closed, or the rest is waited for.
HEAD = "POST {route} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WIRE: dict[str, tuple[bytes, set[int | None]]] = {
    "less than the length": (b"Content-Length: 1000\r\n\r\n{}", {408, 400, None}),
    "more than the length": (b"Content-Length: 2\r\n\r\n{}" + b"x" * 1000, {400, 422}),
    "a length below nothing": (b"Content-Length: -1\r\n\r\n{}", {400}),
    "a length in words": (b"Content-Length: many\r\n\r\n{}", {400}),
    "a length of many digits": (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}", {400, 413, 408, None}),
    "two lengths": (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", {400}),
    "a length and chunks": (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", {400, 422}),
    "chunks of a wrong size": (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", {400}),
    "chunks that do not end": (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", {408, 400, None}),
    "a header without an end": (b"X: " + b"x" * 200_000 + b"\r\n\r\n", {400, 431, None}),
    "very many headers": (b"".join(b"X-%d: x\r\n" % at for at in range(20_000)) + b"\r\n", {400, 422, 431, None}),
    "a header with a line break": (b"X: a\rb\r\n\r\n", {400}),
    "another protocol": (b"\r\n\r\n\x16\x03\x01\x02\x00", {400, 422}),
}


@pytest.mark.parametrize("name", WIRE)
def test_a_request_that_is_wrong_on_the_wire(name: str, served: Served) -> None:
    content, expected = WIRE[name]
    for route in list(served.bodies)[:1]:
        assert _status(served, HEAD.format(route=route).encode() + content) in expected
    served.answers()


def _status(served: Served, request: bytes) -> int | None:
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), timeout=2) as connection:
        try:
            connection.sendall(request)
            reply = connection.recv(4096)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return None
    return int(reply.split()[1]) if reply else None
