"""What only this server promises: its model's own answers, its messages, its limits. All else is in tests/conformance."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune_flows.containers.serving.middleware import MAX_BODY

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


def content(reply: dict[str, Any]) -> str:
    return reply["choices"][0]["message"]["content"]


def test_chat_gives_what_the_model_itself_answers(client, tokenizer, expected):
    reply = chat(client)
    assert content(reply) == tokenizer.decode(expected, skip_special_tokens=True)
    prompt = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True)["input_ids"]
    assert reply["usage"]["prompt_tokens"] == len(prompt)
    assert reply["usage"]["completion_tokens"] == len(expected)
    assert reply["choices"][0]["finish_reason"] == ("length" if len(expected) == 40 else "stop")


def test_an_answer_ends_at_any_of_the_models_end_tokens(client, tokenizer):
    ended = []
    for seed in range(4):  # so hot that all tokens are about as likely, so one of the two end tokens comes soon
        body = {"messages": QUESTION, "seed": seed, "temperature": 100, "max_tokens": 400}
        reply = client.post("/v1/chat/completions", json=body).json()
        if reply["choices"][0]["finish_reason"] == "stop":
            ended.append(content(reply))
    assert ended
    assert not any(token in text for text in ended for token in ("<|im_end|>", "<|endoftext|>"))


def test_without_a_wish_the_answer_may_fill_the_window(client, tokenizer):
    long = [{"role": "user", "content": "port " * 200}]
    body = {"messages": long, "temperature": 0}
    usage = client.post("/v1/chat/completions", json=body).json()["usage"]
    assert usage["total_tokens"] <= 512
    assert usage["prompt_tokens"] > 200


def test_tokenize_gives_the_ids_that_the_model_reads(client, tokenizer):
    reply = client.post("/tokenize", json={"messages": QUESTION}).json()
    ids = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True)["input_ids"]
    assert reply == {"count": len(ids), "max_model_len": 512, "tokens": ids}
    without = client.post("/tokenize", json={"messages": QUESTION, "add_generation_prompt": False}).json()
    assert without["tokens"] == tokenizer.apply_chat_template(QUESTION)["input_ids"]
    both = client.post("/tokenize", json={"messages": QUESTION, "prompt": "x"})
    assert (both.status_code, both.json()["error"]["message"]) == (400, "body: give either messages or prompt")
    assert client.post("/tokenize", json={"prompt": "Zürich"}).json()["tokens"] == tokenizer("Zürich").input_ids


TOOL = {"type": "function", "function": {"name": "weather"}}
CALLED = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
SCHEMA_OF_NOTHING = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nothing"}}}
BAD_CHATS = {
    "messages: Field required": {},
    "messages: List should have at least 1 item": {"messages": []},
    "messages.0.content: only text": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "messages.0.role": {"messages": [{"content": "x"}]},
    "temperature: Input should be greater": {"messages": QUESTION, "temperature": -1},
    "top_p: Input should be less": {"messages": QUESTION, "top_p": 1.5},
    "max_tokens: Input should be greater": {"messages": QUESTION, "max_tokens": 0},
    "stop.0: String should have at least 1": {"messages": QUESTION, "stop": ""},
    "n: Input should be less": {"messages": QUESTION, "n": 33},
    "tools.0.function: Field required": {"messages": QUESTION, "tools": [{"type": "function"}]},
    "tools: not supported by this model": {"messages": QUESTION, "tools": [TOOL]},
    "messages.0.tool_calls: this model's": {"messages": [{"role": "assistant", "tool_calls": [CALLED]}]},
    "messages.0.content: Field required": {"messages": [{"role": "user", "content": None}]},
    "tool_choice: it names none": {"messages": QUESTION, "tool_choice": "required"},
    "tool_choice: Input should be 'none'": {"messages": QUESTION, "tool_choice": "any"},
    "top_logprobs: it needs": {"messages": QUESTION, "top_logprobs": 2},
    "logit_bias: not supported": {"messages": QUESTION, "logit_bias": {"5": 1}},
    "chat_template_kwargs.thinking: this": {"messages": QUESTION, "chat_template_kwargs": {"thinking": False}},
    "chat_template_kwargs.messages: this": {"messages": QUESTION, "chat_template_kwargs": {"messages": []}},
    "response_format.type": {"messages": QUESTION, "response_format": {"type": "structural_tag"}},
    "response_format: ": {
        "messages": QUESTION,
        "response_format": {"type": "json_object", "json_schema": {"name": "x"}},
    },
    "response_format: at": {"messages": QUESTION, "response_format": SCHEMA_OF_NOTHING},
    "structured_outputs: give exactly one": {
        "messages": QUESTION,
        "structured_outputs": {"regex": "a", "choice": ["b"]},
    },
    "guided_regex: an answer has one": {"messages": QUESTION, "guided_json": {}, "guided_regex": "a"},
    "service_tier: Input should": {"messages": QUESTION, "service_tier": "flex"},
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


def test_tgi_parameters_of_the_prompt(client):
    def ask(**parameters: Any) -> str:
        body = {"inputs": "Which port?", "parameters": {"max_new_tokens": 12, **parameters}}
        return client.post("/generate", json=body).json()["generated_text"]

    assert ask(truncate=1) != ask()
    assert ask(grammar={"type": "regex", "value": "[ab]{3}"}, max_new_tokens=20).strip("ab") == ""
    assert ask(grammar={"type": "json", "value": {"enum": [5]}}, max_new_tokens=60).strip() == "5"
    assert ask(do_sample=True, top_k=-1, seed=1) == ask(do_sample=True, seed=1)
    assert client.get("/info").json()["max_total_tokens"] == 512


@pytest.mark.parametrize("path", ["/", "/generate", "/generate_stream", "/invocations"])
def test_a_bad_tgi_request_names_the_field(client, path):
    for body, field in (
        ({"inputs": ""}, "inputs"),
        ({"inputs": "x", "parameters": {"temperature": -1}}, "parameters.temperature"),
        ({"inputs": "x", "parameters": {"best_of": 2}}, "parameters.best_of"),
        ({"inputs": "x", "parameters": {"grammar": {"type": "json", "value": "a"}}}, "parameters.grammar"),
        ({"inputs": "x", "parameters": {"grammar": {"type": "regex", "value": "("}}}, "parameters.grammar"),
        ({"inputs": "x", "parameters": {"max_new_tokens": 600}}, "parameters.max_new_tokens"),
        ({"inputs": "port " * 600}, "prompt"),
    ):
        assert client.post(path, json=body).json()["error"].startswith(f"{field}: ")


def test_what_is_not_sent_as_json_is_told_how(client):
    wrong_type = client.post("/invocations", content=b'{"inputs": "x"}', headers={"Content-Type": "text/csv"})
    assert "Content-Type: application/json" in wrong_type.json()["error"]["message"]
    assert client.get("/nothing").json()["error"]["message"] == "GET /nothing: Not Found"


def test_a_request_keeps_the_id_that_its_client_gave_it(client):
    assert client.get("/ping", headers={"X-Request-Id": "job-7:3"}).headers["x-request-id"] == "job-7:3"
    made_up = client.get("/ping", headers={"X-Request-Id": "two words"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made_up)


def test_metrics_count_requests_errors_and_tokens(client):
    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    names = (
        'serving_requests_total{route="/v1/chat/completions",status="200"}',
        'serving_requests_total{route="/v1/chat/completions",status="400"}',
        'serving_errors_total{kind="invalid"}',
        'serving_request_seconds_count{route="/v1/chat/completions"}',
        "serving_first_token_seconds_count",
        "serving_token_seconds_count",
        "serving_batch_size_count",
    )
    before, tokens = [value(name) for name in names], value("serving_completion_tokens_total")
    prompt, cached = value("serving_prompt_tokens_total"), value("serving_cached_prompt_tokens_total")
    replies = [chat(client), chat(client)]
    assert client.post("/v1/chat/completions", json={}).status_code == 400
    assert [value(name) - old for name, old in zip(names, before, strict=True)] == [2, 1, 1, 3, 2, 2, 2]
    usages = [reply["usage"] for reply in replies]
    assert value("serving_completion_tokens_total") - tokens == sum(usage["completion_tokens"] for usage in usages)
    assert value("serving_prompt_tokens_total") - prompt == sum(usage["prompt_tokens"] for usage in usages)
    known = sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in usages)
    assert value("serving_cached_prompt_tokens_total") - cached == known > 0
    assert value("serving_running") == value("serving_waiting") == 0
    assert value("process_resident_memory_bytes") > 2**20
