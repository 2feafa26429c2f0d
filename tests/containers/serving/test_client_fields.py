"""The fields that clients send beyond the messages: several choices, probabilities, forms of an answer, penalties, prompts."""

import json
import math
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from jsonschema import Draft202012Validator
from transformers import AutoModelForCausalLM, AutoTokenizer

QUESTION = [{"role": "user", "content": "Which port?"}]
SCHEMA = {
    "type": "object",
    "properties": {
        "port": {"enum": ["Oslo", "Lima"]},
        "ships": {"type": "array", "items": {"$ref": "#/$defs/ship"}, "minItems": 1, "maxItems": 2},
    },
    "required": ["port", "ships"],
    "additionalProperties": False,
    "$defs": {"ship": {"type": "integer", "minimum": 0, "maximum": 99}},
}


@pytest.fixture(scope="module")
def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=120)


def ask(client: httpx.Client, path: str = "/v1/chat/completions", **more: Any) -> dict[str, Any]:
    start = {"messages": QUESTION} if path.endswith("chat/completions") else {}
    response = client.post(path, json={**start, "temperature": 0, "max_tokens": 12, **more})
    assert response.status_code == 200, response.text
    return response.json()


def content(reply: dict[str, Any]) -> str:
    return reply["choices"][0]["message"]["content"]


def events(client: httpx.Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    lines = client.post(path, json={**body, "stream": True}).text.splitlines()
    return [json.loads(line[6:]) for line in lines if line and line != "data: [DONE]"]


def test_several_choices_have_seeds_of_their_own_and_count_the_prompt_once(client):
    hot = {"n": 3, "temperature": 1.5, "seed": 5}
    reply = ask(client, **hot)
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2]
    texts = [choice["message"]["content"] for choice in reply["choices"]]
    assert len(set(texts)) == 3
    one = ask(client, temperature=1.5, seed=5)
    assert texts[0] == content(one)
    assert reply["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]
    assert reply["usage"]["completion_tokens"] > one["usage"]["completion_tokens"]
    streamed = ["", "", ""]
    for event in events(client, "/v1/chat/completions", {"messages": QUESTION, "max_tokens": 12, **hot}):
        for choice in event["choices"]:
            streamed[choice["index"]] += choice["delta"].get("content") or ""
    assert streamed == texts


def test_probabilities_are_the_models_own(client, root: Path):
    tokenizer = AutoTokenizer.from_pretrained(root / "model")
    model = AutoModelForCausalLM.from_pretrained(root / "model", dtype=torch.float32)
    reply = ask(client, logprobs=True, top_logprobs=3, max_tokens=4, temperature=0)
    listed = reply["choices"][0]["logprobs"]["content"]
    assert len(listed) == reply["usage"]["completion_tokens"]
    prompt = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt")
    truth = model(**prompt).logits[0, -1].log_softmax(-1).topk(3)
    first = listed[0]
    assert [each["token"] for each in first["top_logprobs"]] == [tokenizer.decode([t]) for t in truth.indices]
    assert [each["logprob"] for each in first["top_logprobs"]] == pytest.approx(truth.values.tolist(), abs=1e-4)
    assert first["logprob"] == first["top_logprobs"][0]["logprob"]
    assert bytes(first["bytes"]).decode() == first["token"]
    body = {"messages": QUESTION, "temperature": 0, "max_tokens": 4, "logprobs": True, "top_logprobs": 3}
    chunks = [choice for event in events(client, "/v1/chat/completions", body) for choice in event["choices"]]
    streamed = [each for choice in chunks if choice.get("logprobs") for each in choice["logprobs"]["content"]]
    assert [each["token"] for each in streamed] == [each["token"] for each in listed]
    assert "logprobs" not in reply["choices"][0] or reply["choices"][0]["message"]["role"] == "assistant"


FORMS = {
    "json_object": ({"response_format": {"type": "json_object"}}, lambda text: isinstance(json.loads(text), dict)),
    "regex": ({"structured_outputs": {"regex": "(ab|cd)/[0-9]{2}"}}, re.compile(r"(ab|cd)/[0-9]{2}").fullmatch),
    "choice": ({"structured_outputs": {"choice": ['say "x"', "Zürich/1"]}}, ('say "x"', "Zürich/1").__contains__),
    "guided_choice": ({"guided_choice": ["yes", "no"]}, ("yes", "no").__contains__),
    "guided_regex": ({"guided_regex": "[a-c]{3}"}, re.compile(r"[a-c]{3}").fullmatch),
    "text": ({"response_format": {"type": "text"}}, str),
}
SCHEMAS = {
    "response_format": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    },
    "structured_outputs": {"structured_outputs": {"json": SCHEMA}},
    "guided_json": {"guided_json": SCHEMA},
}


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_has_the_form_that_is_asked_for(client, name):
    asked, fits = FORMS[name]
    whole = 0
    for seed in range(4):
        reply = ask(client, temperature=1.0, seed=seed, max_tokens=200, **asked)
        if reply["choices"][0]["finish_reason"] == "stop":
            assert fits(content(reply)), content(reply)
            whole += 1
    assert whole or name == "json_object"  # random weights may write strings without end


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_an_answer_keeps_to_its_schema(client, name, path):
    more = {"prompt": "Which port?"} if path == "/v1/completions" else {}
    for seed in range(3):
        choice = ask(client, path, temperature=1.5, seed=seed, max_tokens=250, **SCHEMAS[name], **more)["choices"][0]
        assert choice["finish_reason"] == "stop"
        text = choice["text"] if path == "/v1/completions" else choice["message"]["content"]
        Draft202012Validator(SCHEMA).validate(json.loads(text))


def test_roles_are_read_as_in_training_and_unknown_ones_are_refused(client):
    def read(role: str, content: Any = "Be brief.") -> httpx.Response:
        return client.post("/tokenize", json={"messages": [{"role": role, "content": content}, *QUESTION]})

    assert read("developer").json() == read("system").json()
    for role in ("narrator", "User"):
        reply = read(role)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "messages.0.role")
    for part in ({"type": "text"}, {"type": "text", "text": None}, {"type": "text", "text": 5}):
        assert read("user", [part]).status_code == 400


def test_neutral_values_change_nothing_and_min_p_and_top_k_narrow(client):
    neutral = {
        "n": 1, "min_p": 0, "top_k": -1, "presence_penalty": 0, "frequency_penalty": 0.0, "service_tier": "auto",
        "safety_identifier": "s", "prompt_cache_key": "k", "user": "me", "metadata": {"a": "b"}, "store": False,
        "logit_bias": {}, "tools": [], "tool_choice": "none", "parallel_tool_calls": True, "logprobs": False,
        "response_format": {"type": "text"}, "skip_special_tokens": True, "stop_token_ids": [],
        "stream_options": None, "chat_template_kwargs": {},
    }  # fmt: skip
    plain = ask(client, temperature=1.5, seed=7)
    assert content(ask(client, temperature=1.5, seed=7, **neutral)) == content(plain)
    greedy = content(ask(client))
    assert content(ask(client, temperature=1.5, seed=7, min_p=1)) == greedy
    assert content(ask(client, temperature=1.5, seed=7, top_k=1)) == greedy


def test_a_stop_token_ends_the_answer_and_has_no_text(client, root: Path):
    tokenizer = AutoTokenizer.from_pretrained(root / "model")
    reply = ask(client, logprobs=True)
    tokens = [each["token"] for each in reply["choices"][0]["logprobs"]["content"]]
    ids = [token for token in tokenizer.get_vocab().values() if tokenizer.decode([token]) == tokens[3]]
    stopped = ask(client, stop_token_ids=ids)
    assert content(reply).startswith(content(stopped))
    assert stopped["usage"]["completion_tokens"] <= 4
    assert stopped["choices"][0]["finish_reason"] == "stop"


def test_completions_continue_texts_and_tokens(client, root: Path):
    path = "/v1/completions"
    one = ask(client, path, prompt="Which port?")
    assert one["object"] == "text_completion"
    text = one["choices"][0]["text"]
    ids = AutoTokenizer.from_pretrained(root / "model")("Which port?").input_ids
    assert ask(client, path, prompt=ids)["choices"][0]["text"] == text
    several = ask(client, path, prompt=["Which port?", "Which ship?"], n=2)
    assert [choice["index"] for choice in several["choices"]] == [0, 1, 2, 3]
    assert [choice["text"] for choice in several["choices"][:2]] == [text, text]
    assert several["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"] + len(
        AutoTokenizer.from_pretrained(root / "model")("Which ship?").input_ids
    )
    assert ask(client, path, prompt=[ids, ids])["choices"][1]["text"] == text
    body = {"prompt": "Which port?", "temperature": 0, "max_tokens": 12, "stream_options": {"include_usage": True}}
    *chunks, last = events(client, path, body)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == text
    assert last["usage"]["completion_tokens"] == one["usage"]["completion_tokens"]
    known = ask(client, path, prompt="Which port?", logprobs=2)["choices"][0]["logprobs"]
    assert len(known["tokens"]) == len(known["text_offset"]) == len(known["top_logprobs"])
    assert known["text_offset"][0] == 0
    assert all(
        math.isclose(max(top.values()), chosen)
        for top, chosen in zip(known["top_logprobs"], known["token_logprobs"], strict=True)
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "prompt: "),
        ({"prompt": []}, "prompt: List should have at least 1"),
        ({"prompt": ""}, "prompt.0: it has no tokens"),
        ({"prompt": [10**6]}, "prompt.0: it has token 1000000"),
        ({"prompt": [-1]}, "prompt.0: "),
        ({"prompt": "x", "echo": True}, "echo: not supported"),
        ({"prompt": "x", "suffix": "y"}, "suffix: not supported"),
        ({"prompt": "x", "messages": QUESTION}, "messages: Extra inputs"),
        ({"prompt": ["x", 5]}, "prompt.1: "),
    ],
)
def test_a_bad_completion_is_refused_naming_the_field(client, body, words):
    response = client.post("/v1/completions", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(words)


def test_one_model_is_found_by_its_name(client):
    name = client.get("/v1/models").json()["data"][0]["id"]
    assert client.get(f"/v1/models/{name}").json()["id"] == name
    missing = client.get("/v1/models/org/other")
    assert missing.status_code == 404
    assert name in missing.json()["error"]["message"]


def test_an_earlier_answer_may_have_no_content(client):
    turns = [*QUESTION, {"role": "assistant", "content": None}, {"role": "user", "content": "Well?"}]
    assert ask(client, messages=turns)["choices"]
