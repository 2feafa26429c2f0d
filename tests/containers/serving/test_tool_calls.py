"""Tools over HTTP, with a template that has them: what the model reads, what it must answer, and how calls are streamed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from transformers import AutoTokenizer

from tests.containers.serving.lively_model import lively_model
from tests.containers.serving.running_server import Server

TEMPLATE = """
{%- if tools %}{{ '<|im_start|>system\n' }}{{ tools | tojson }} <tool_call>{{ '<|im_end|>\n' }}{% endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' + message.content }}
{%- for call in message.tool_calls or [] %}{{ '<tool_call>' }}{{ call.function.name }}{{ call.function.arguments.city }}{% endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% if plain is defined and plain %}{{ '##' }}{% endif %}{% endif %}"""
QUESTION = {"role": "user", "content": "How warm is it?"}
CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Lima"]}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": CITY}},
    {"type": "function", "function": {"name": "population", "parameters": CITY, "strict": True}},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tools")
    lively_model(root / "model", window=1024)
    tokenizer = AutoTokenizer.from_pretrained(root / "model")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(root / "model")
    return root


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    server = Server(folder)
    with httpx.Client(base_url=server.wait_until_ready(), timeout=120) as client:
        yield client
    assert server.stop() == 0


def ask(client: httpx.Client, **more: Any) -> httpx.Response:
    body = {"messages": [QUESTION], "tools": TOOLS, "seed": 3, "temperature": 1.0, "max_tokens": 120, **more}
    return client.post("/v1/chat/completions", json=body)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "population"}}])
def test_a_model_that_must_call_calls(client: httpx.Client, choice: Any) -> None:
    names = set()
    reply = ask(client, tool_choice=choice, n=16, temperature=100, parallel_tool_calls=False)
    for answer in reply.json()["choices"]:
        (call,) = answer["message"]["tool_calls"]
        assert answer["message"]["content"] is None
        assert answer["finish_reason"] == "tool_calls"
        assert json.loads(call["function"]["arguments"])["city"] in ("Oslo", "Lima")
        assert call["id"]
        names.add(call["function"]["name"])
    assert names == ({"weather", "population"} if choice == "required" else {"population"})


def test_a_stream_has_each_call_whole(client: httpx.Client) -> None:
    (call,) = ask(client, tool_choice="required", parallel_tool_calls=False).json()["choices"][0]["message"][
        "tool_calls"
    ]
    streamed = ask(client, tool_choice="required", parallel_tool_calls=False, stream=True).text
    chunks = [json.loads(line[6:])["choices"][0] for line in streamed.splitlines() if line and "[DONE]" not in line]
    (delta,) = [chunk["delta"] for chunk in chunks if chunk["delta"].get("tool_calls")]
    assert delta["tool_calls"][0]["function"] == call["function"]
    assert delta["tool_calls"][0]["index"] == 0
    assert chunks[-1]["finish_reason"] == "tool_calls"
    assert not any(chunk["delta"].get("content") for chunk in chunks)


def test_with_a_schema_the_answer_is_a_call_or_keeps_to_it(client: httpx.Client) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [1, 2]}}}
    kinds = set()
    for choice in ask(client, n=16, response_format=schema, temperature=100, max_tokens=300).json()["choices"]:
        if choice["finish_reason"] != "length":
            kinds.add((choice["message"]["content"] or "a call").strip())
    assert "a call" in kinds
    assert kinds & {"1", "2"}
    assert kinds <= {"a call", "1", "2"}


def test_tools_and_turns_with_calls_are_read(client: httpx.Client, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    called = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    turns = [
        QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c1", "content": "12 degrees"},
    ]
    ids = client.post("/tokenize", json={"messages": turns, "tools": TOOLS}).json()["tokens"]
    text = tokenizer.decode(ids)
    assert "weatherOslo" in text
    assert "12 degrees" in text
    assert '"population"' in text
    assert "strict" not in text  # no part of what templates expect
    assert ask(client, messages=turns, max_tokens=5).json()["usage"]["prompt_tokens"] == len(ids)
    without = client.post("/tokenize", json={"messages": turns}).json()["count"]
    assert ask(client, messages=turns, max_tokens=5, tool_choice="none").json()["usage"]["prompt_tokens"] == without
    options = {"messages": [QUESTION], "chat_template_kwargs": {"plain": True}}
    assert tokenizer.decode(client.post("/tokenize", json=options).json()["tokens"]).endswith("##")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice: it names none"),
        ({"tool_choice": "required", "response_format": {"type": "json_object"}}, "response_format: a tool must"),
        ({"structured_outputs": {"grammar": 'start: "a"'}}, "structured_outputs.grammar: a grammar of your own"),
        ({"tools": [TOOLS[0], {"type": "function", "function": {"name": "a b"}}]}, "tools.1.function.name: "),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "["}}]}]},
            "messages.0.tool_calls.0.function.arguments: it is not a JSON object",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(client: httpx.Client, more: dict[str, Any], words: str) -> None:
    response = ask(client, **more)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(words)
