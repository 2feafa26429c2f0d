"""SageMaker's one route for everything, and TGI's routes."""

import json
from typing import Any

from tests.conformance.endpoint import Endpoint, content, needs

TGI = {"inputs": "Which port?", "parameters": {"max_new_tokens": 12, "details": True}}


def test_the_chat_form(endpoint: Endpoint):
    reply = endpoint.post("/invocations", endpoint.chat_body())
    assert reply.status_code == 200
    assert content(reply.json()) == content(endpoint.chat())


def test_the_chat_form_as_a_stream(endpoint: Endpoint):
    *events, done = endpoint.events("/invocations", endpoint.chat_body(stream=True))
    assert done == "[DONE]"
    pieces = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events]
    assert "".join(pieces) == content(endpoint.chat())


@needs("tgi")
def test_the_tgi_form_is_a_list_of_one_answer(endpoint: Endpoint):
    (answer,) = endpoint.post("/invocations", TGI).json()
    assert (answer,) == tuple(endpoint.post("/", TGI).json())
    assert endpoint.post("/generate", TGI).json() == answer
    details = answer["details"]
    assert details["generated_tokens"] == len(details["tokens"]) <= 12
    assert details["finish_reason"] in ("length", "eos_token", "stop_sequence")
    assert "".join(token["text"] for token in details["tokens"] if not token["special"]) == answer["generated_text"]
    assert all(token["logprob"] <= 0 for token in details["tokens"])


@needs("tgi")
def test_the_tgi_form_as_a_stream(endpoint: Endpoint):
    (answer,) = endpoint.post("/", TGI).json()
    for path, body in (
        ("/generate_stream", TGI),
        ("/", {**TGI, "stream": True}),
        ("/invocations", {**TGI, "stream": True}),
    ):
        events = [json.loads(event) for event in endpoint.events(path, body)]
        assert [event["token"]["id"] for event in events] == [token["id"] for token in answer["details"]["tokens"]]
        assert [event["generated_text"] for event in events] == [None] * (len(events) - 1) + [answer["generated_text"]]
        assert events[-1]["details"]["finish_reason"] == answer["details"]["finish_reason"]


@needs("tgi")
def test_tgi_parameters(endpoint: Endpoint):
    def ask(**parameters: Any) -> str:
        body = {"inputs": TGI["inputs"], "parameters": {"max_new_tokens": 12, **parameters}}
        reply: str = endpoint.post("/generate", body).json()["generated_text"]
        return reply

    assert ask(return_full_text=True) == "Which port?" + ask()
    assert ask(do_sample=True, seed=3, temperature=1.5) == ask(do_sample=True, seed=3, temperature=1.5)
    assert ask(stop=[ask()[2:4]]) == ask()[: ask().index(ask()[2:4])]
    assert len(ask(max_new_tokens=1)) < len(ask())
