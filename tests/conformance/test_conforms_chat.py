"""Chats, as OpenAI's clients know them."""

import json

import pytest

from tests.conformance.endpoint import QUESTION, Endpoint, content, needs


@needs("ping")
def test_a_healthy_endpoint_says_so_with_an_empty_200(endpoint: Endpoint):
    with endpoint.client() as client:
        response = client.get("/ping", timeout=2)  # SageMaker waits no longer
        assert response.status_code == 200
        assert client.post("/ping").status_code in (200, 405)


@needs("chat-route")
def test_the_models_are_listed(endpoint: Endpoint):
    with endpoint.client() as client:
        models = client.get("/v1/models").json()
    assert models["object"] == "list"
    assert all(model["id"] and model["object"] == "model" for model in models["data"])


def test_a_reply_has_all_its_parts(endpoint: Endpoint):
    reply = endpoint.chat()
    assert reply["object"] == "chat.completion"
    assert reply["id"]
    assert reply["model"]
    assert reply["created"] > 1_700_000_000
    (choice,) = reply["choices"]
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] in ("stop", "length")


def test_usage_adds_up(endpoint: Endpoint):
    usage = endpoint.chat()["usage"]
    assert usage["prompt_tokens"] > 5
    assert 1 <= usage["completion_tokens"] <= 24
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    longer = [*QUESTION, {"role": "assistant", "content": "Oslo"}, {"role": "user", "content": "And where is that?"}]
    assert endpoint.chat(messages=longer)["usage"]["prompt_tokens"] > usage["prompt_tokens"]


@needs("cached-tokens")
def test_what_was_read_before_is_counted_apart(endpoint: Endpoint):
    long = [{"role": "system", "content": "CREATE TABLE ships (name, port) " * 8}, QUESTION[1]]
    replies = [endpoint.chat(messages=long) for _ in range(2)]
    cached = [(reply["usage"].get("prompt_tokens_details") or {}).get("cached_tokens", 0) for reply in replies]
    assert 0 < cached[1] < replies[1]["usage"]["prompt_tokens"]
    assert content(replies[0]) == content(replies[1])


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_an_answer_is_no_longer_than_allowed(endpoint: Endpoint, field: str, limit: int):
    reply = (
        endpoint.chat(max_tokens=None, **{field: limit}) if field != "max_tokens" else endpoint.chat(max_tokens=limit)
    )
    assert reply["usage"]["completion_tokens"] <= limit
    if reply["usage"]["completion_tokens"] == limit:
        assert reply["choices"][0]["finish_reason"] in ("length", "stop")
    whole = content(endpoint.chat())
    assert whole.startswith(content(reply).rstrip("�"))


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(endpoint: Endpoint):
    whole = content(endpoint.chat())
    if len(whole) < 6:
        pytest.skip(f"the model says too little to cut: {whole!r}")
    stop = whole[3:6]
    for given in (stop, [stop], ["never said", stop]):
        reply = endpoint.chat(stop=given)
        assert content(reply) == whole[: whole.index(stop)]
        assert reply["choices"][0]["finish_reason"] == "stop"
    streamed = endpoint.events(endpoint.chat_path, endpoint.chat_body(stop=stop, stream=True))
    pieces = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in streamed[:-1]]
    assert "".join(pieces) == whole[: whole.index(stop)]


def test_a_stream_comes_in_order_and_is_the_same_text(endpoint: Endpoint):
    body = endpoint.chat_body(stream=True, stream_options={"include_usage": True})
    *events, done = endpoint.events(endpoint.chat_path, body)
    assert done == "[DONE]"
    *chunks, last = map(json.loads, events)
    assert {chunk["object"] for chunk in [*chunks, last]} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in [*chunks, last]}) == 1
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"]["role"] == "assistant"
    assert [bool(choice["finish_reason"]) for choice in choices] == [False] * (len(choices) - 1) + [True]
    whole = endpoint.chat()
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == content(whole)
    assert choices[-1]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]


def test_a_stream_without_the_wish_for_usage_has_none(endpoint: Endpoint):
    events = endpoint.events(endpoint.chat_path, endpoint.chat_body(stream=True))
    assert events.pop() == "[DONE]"
    assert not any(json.loads(event).get("usage") for event in events)


def test_temperature_0_repeats_itself(endpoint: Endpoint):
    assert len({content(endpoint.chat()) for _ in range(3)}) == 1


@needs("seed")
def test_a_seed_repeats_a_drawn_answer(endpoint: Endpoint):
    hot = [content(endpoint.chat(temperature=1.5, seed=seed)) for seed in (5, 5, 6, 7, 8)]
    assert hot[0] == hot[1]
    assert len(set(hot)) > 1


def test_neutral_values_and_nulls_change_nothing(endpoint: Endpoint):
    reply = endpoint.chat(n=1, stream=False, tools=None, logprobs=False, user="me", top_p=None, stop=None, seed=None)
    assert content(reply) == content(endpoint.chat())


def test_text_may_come_in_parts(endpoint: Endpoint):
    parts = [{"role": each["role"], "content": [{"type": "text", "text": each["content"]}]} for each in QUESTION]
    assert content(endpoint.chat(messages=parts)) == content(endpoint.chat())


@needs("tokenize")
def test_tokenize_counts_what_usage_counts(endpoint: Endpoint):
    named = {"model": endpoint.model} if endpoint.model else {}
    reply = endpoint.post("/tokenize", {"messages": QUESTION, **named}).json()
    assert reply["count"] == len(reply["tokens"]) == endpoint.chat()["usage"]["prompt_tokens"]
    assert reply["max_model_len"] >= reply["count"]
    assert all(isinstance(token, int) for token in reply["tokens"])


@needs("metrics")
def test_metrics_are_prometheus_text(endpoint: Endpoint):
    endpoint.chat()
    with endpoint.client() as client:
        response = client.get("/metrics")
    assert response.status_code == 200
    samples = [line for line in response.text.splitlines() if line and not line.startswith("#")]
    assert samples
    assert all(float(line.rsplit(" ", 1)[1]) is not None for line in samples)
    assert any("prompt_tokens" in line for line in samples)
