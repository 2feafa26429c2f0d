"""Every route of a running server, by plain HTTP."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from containers.serving.middleware import MAX_BODY

QUESTION = [{"role": "system", "content": "Answer with SQL."}, {"role": "user", "content": "Which port? Zürich 🚢"}]


@pytest.fixture(scope="module")
def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60)


@pytest.fixture(scope="module")
def tokenizer(root: Path) -> Any:
    return AutoTokenizer.from_pretrained(root / "model")


@pytest.fixture(scope="module")
def expected(root: Path, tokenizer: Any) -> list[int]:
    """What the model itself answers to QUESTION: 40 tokens by transformers' own generate."""
    model = AutoModelForCausalLM.from_pretrained(root / "model", dtype=torch.float32)
    inputs = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=40, do_sample=False)
    return output[0, inputs["input_ids"].shape[1] :].tolist()


def chat(client: httpx.Client, **more: Any) -> dict[str, Any]:
    body = {"messages": QUESTION, "temperature": 0, "max_tokens": 40, **more}
    response = client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def events(client: httpx.Client, path: str, body: dict[str, Any]) -> list[str]:
    with client.stream("POST", path, json=body) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return [line.removeprefix("data:").strip() for line in response.iter_lines() if line]


def content(reply: dict[str, Any]) -> str:
    return reply["choices"][0]["message"]["content"]


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_a_loaded_server_is_healthy(client, path):
    assert client.get(path).status_code == 200


def test_chat_gives_what_the_model_itself_answers(client, tokenizer, expected):
    reply = chat(client)
    assert content(reply) == tokenizer.decode(expected, skip_special_tokens=True)
    prompt = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True)["input_ids"]
    assert reply["usage"] == {
        "prompt_tokens": len(prompt),
        "completion_tokens": len(expected),
        "total_tokens": len(prompt) + len(expected),
    }
    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["finish_reason"] == ("length" if len(expected) == 40 else "stop")


def test_a_stream_is_the_same_text_in_pieces(client, tokenizer, expected):
    body = {"messages": QUESTION, "temperature": 0, "max_tokens": 40, "stream": True}
    *chunks, done = events(client, "/v1/chat/completions", {**body, "stream_options": {"include_usage": True}})
    assert done == "[DONE]"
    *chunks, usage = map(json.loads, chunks)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == content(chat(client))
    assert chunks[-1]["choices"][0]["finish_reason"] in ("stop", "length")
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(expected)
    without = [json.loads(event) for event in events(client, "/v1/chat/completions", body)[:-1]]
    assert not any("usage" in chunk for chunk in without)


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(client):
    whole = content(chat(client))
    stop = whole[5:9]  # as the model divides it, this is more than one token
    reply = chat(client, stop=[stop, "never said"])
    assert content(reply) == whole[: whole.index(stop)]
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert content(chat(client, stop=stop)) == content(reply)
    streamed = events(
        client, "/v1/chat/completions", {"messages": QUESTION, "temperature": 0, "stop": stop, "stream": True}
    )
    deltas = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in streamed[:-1]]
    assert "".join(deltas) == content(reply)


def test_an_answer_ends_at_any_of_the_models_end_tokens(client, tokenizer):
    ended = []
    for seed in range(4):  # so hot that all tokens are about as likely, so one of the two end tokens comes soon
        body = {"messages": QUESTION, "seed": seed, "temperature": 100, "max_tokens": 400}
        reply = client.post("/v1/chat/completions", json=body).json()
        if reply["choices"][0]["finish_reason"] == "stop":
            ended.append(content(reply))
    assert ended
    assert not any(token in text for text in ended for token in ("<|im_end|>", "<|endoftext|>"))


def test_a_seed_repeats_an_answer(client):
    drawn = [content(chat(client, temperature=1.2, top_p=0.9, seed=seed)) for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert content(chat(client, temperature=1.2)) != content(chat(client, temperature=1.2))


def test_without_a_wish_the_answer_may_fill_the_window(client, tokenizer):
    long = [{"role": "user", "content": "port " * 200}]
    body = {"messages": long, "temperature": 0}
    usage = client.post("/v1/chat/completions", json=body).json()["usage"]
    assert usage["total_tokens"] <= 512
    assert usage["prompt_tokens"] > 200


def test_text_in_parts_and_fields_that_are_null_or_neutral_are_accepted(client):
    parts = [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in QUESTION]
    reply = chat(client, messages=parts, n=1, tools=None, tool_choice=None, logprobs=False, user="me", top_p=None)
    assert content(reply) == content(chat(client))


def test_tokenize_gives_the_ids_that_the_model_reads(client, tokenizer):
    reply = client.post("/tokenize", json={"messages": QUESTION}).json()
    ids = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True)["input_ids"]
    assert reply == {"count": len(ids), "max_model_len": 512, "tokens": ids}
    without = client.post("/tokenize", json={"messages": QUESTION, "add_generation_prompt": False}).json()
    assert without["tokens"] == tokenizer.apply_chat_template(QUESTION)["input_ids"]
    both = client.post("/tokenize", json={"messages": QUESTION, "prompt": "x"})
    assert (both.status_code, both.json()["error"]["message"]) == (400, "body: give either messages or prompt")
    assert client.post("/tokenize", json={"prompt": "Zürich"}).json()["tokens"] == tokenizer("Zürich").input_ids


def test_models_and_info(client):
    (model,) = client.get("/v1/models").json()["data"]
    assert (model["id"], model["object"], model["max_model_len"]) == ("model", "model", 512)
    assert client.get("/info").json()["max_total_tokens"] == 512


def test_tgi_gives_a_list_or_an_object_or_a_stream_of_the_same_answer(client, tokenizer):
    parameters = {"max_new_tokens": 20, "details": True}
    body = {"inputs": "Which port?", "parameters": parameters}
    (listed,) = client.post("/", json=body).json()
    assert client.post("/generate", json=body).json() == listed
    assert client.post("/invocations", json=body).json() == [listed]
    assert listed["details"]["generated_tokens"] == len(listed["details"]["tokens"])
    ids = [token["id"] for token in listed["details"]["tokens"]]
    assert tokenizer.decode(ids, skip_special_tokens=True) == listed["generated_text"]
    for path, stream in (("/generate_stream", False), ("/", True), ("/invocations", True)):
        streamed = [json.loads(event) for event in events(client, path, {**body, "stream": stream})]
        assert [event["token"] for event in streamed] == listed["details"]["tokens"]
        assert streamed[-1]["generated_text"] == listed["generated_text"]
        assert streamed[-1]["details"]["finish_reason"] == listed["details"]["finish_reason"]
        assert streamed[0]["generated_text"] is None


def test_tgi_full_text_truncation_and_sampling(client):
    def ask(**parameters: Any) -> str:
        body = {"inputs": "Which port?", "parameters": {"max_new_tokens": 12, **parameters}}
        return client.post("/generate", json=body).json()["generated_text"]

    assert ask(return_full_text=True) == "Which port?" + ask()
    assert ask(truncate=1) != ask()
    assert ask(do_sample=True, seed=3) == ask(do_sample=True, seed=3) != ask()


def test_invocations_answers_the_chat_form_too(client):
    body = {"messages": QUESTION, "temperature": 0, "max_tokens": 40}
    assert content(client.post("/invocations", json=body).json()) == content(chat(client))
    assert events(client, "/invocations", {**body, "stream": True})[-1] == "[DONE]"


def test_metrics_count_requests_and_tokens(client):
    pytest.importorskip("prometheus_client")

    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    asked = 'serving_request_seconds_count{path="/v1/chat/completions",status="200"}'
    before = value(asked), value("serving_completion_tokens_total")
    reply = chat(client)
    assert value(asked) == before[0] + 1
    assert value("serving_completion_tokens_total") == before[1] + reply["usage"]["completion_tokens"]
    assert value("serving_running") == 0


BAD_CHATS = {
    "messages: Field required": {},
    "messages: List should have at least 1 item": {"messages": []},
    "messages.0.content: only text": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "messages.0.role": {"messages": [{"content": "x"}]},
    "temperature: Input should be greater": {"messages": QUESTION, "temperature": -1},
    "top_p: Input should be less": {"messages": QUESTION, "top_p": 1.5},
    "max_tokens: Input should be greater": {"messages": QUESTION, "max_tokens": 0},
    "stop.0: String should have at least 1": {"messages": QUESTION, "stop": ""},
    "n: not supported": {"messages": QUESTION, "n": 2},
    "tools: not supported": {"messages": QUESTION, "tools": [{"type": "function"}]},
    "max_token: Extra inputs": {"messages": QUESTION, "max_token": 5},
    "seed: Input should be a valid integer": {"messages": QUESTION, "seed": "x"},
    "and at most 512": {"messages": QUESTION, "max_tokens": 512},
    "prompt: it has": {"messages": [{"role": "user", "content": "port " * 600}]},
    "messages.0.content: Value error": {"messages": [{"role": "user", "content": "\ud800"}]},
}


@pytest.mark.parametrize("problem", BAD_CHATS)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/invocations"])
def test_a_bad_chat_is_refused_naming_the_field(client, path, problem):
    body = json.dumps(BAD_CHATS[problem])
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    field = error["message"].split(":")[0]
    assert error["param"] == field
    if problem != "and at most 512":
        assert error["message"].startswith(problem)


def test_a_prompt_that_does_not_fit_is_told_both_numbers(client, tokenizer):
    messages = [{"role": "user", "content": "port " * 600}]
    length = len(tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"])
    message = client.post("/v1/chat/completions", json={"messages": messages}).json()["error"]["message"]
    assert str(length) in message
    assert "512" in message


@pytest.mark.parametrize("path", ["/", "/generate", "/generate_stream", "/invocations"])
def test_a_bad_tgi_request_is_refused_in_tgis_words(client, path):
    for body, field in (
        ({"inputs": ""}, "inputs"),
        ({"inputs": "x", "parameters": {"temperature": -1}}, "parameters.temperature"),
        ({"inputs": "x", "parameters": {"best_of": 2}}, "parameters.best_of"),
        ({"inputs": "x", "parameters": {"max_new_tokens": 600}}, "parameters.max_new_tokens"),
        ({"inputs": "port " * 600}, "prompt"),
    ):
        response = client.post(path, json=body)
        assert response.status_code == 422
        assert response.json()["error_type"] == "validation"
        assert response.json()["error"].startswith(f"{field}: ")


def test_what_is_no_json_object_is_refused(client):
    for body in (b"{bad", b"[]", b'{"\\ud800": 1}', b"", b"\xff\xfe", b"[" * 100_000):
        response = client.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400, body[:10]
        assert response.json()["error"]["type"] == "invalid_request_error"
    wrong_type = client.post("/invocations", content=b'{"inputs": "x"}', headers={"Content-Type": "text/csv"})
    assert "Content-Type: application/json" in wrong_type.json()["error"]["message"]


def test_unknown_paths_and_methods(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/v1/chat/completions").status_code == 405
    assert client.get("/nothing").json()["error"]["message"] == "GET /nothing: Not Found"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(client, chunked):
    def body(size: int) -> bytes:
        start = b'{"messages": [], "user": "'
        return start + b"x" * (size - len(start) - 2) + b'"}'

    def send(size: int) -> httpx.Response:
        data = body(size)
        content = iter([data[: size // 2], data[size // 2 :]]) if chunked else data
        return client.post("/v1/chat/completions", content=content, headers={"Content-Type": "application/json"})

    assert send(MAX_BODY).json()["error"]["param"] == "messages"  # read, and refused for another reason
    too_large = send(MAX_BODY + 1)
    assert too_large.status_code == 413
    assert str(MAX_BODY) in too_large.json()["error"]["message"]
