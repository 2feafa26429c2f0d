"""Answers that call tools are judged by names and arguments, however the model's template spells them."""

import json
from typing import Any

import pytest

from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.chat.verdicts import judge_overlap
from finetune_flows.tasks.recipe import Chat
from finetune_flows.tasks.sections.stages import EvaluationSection

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("weather", "time")
]
ASK = {"role": "user", "content": "Lima and Quito?"}
LIMA = {"name": "weather", "arguments": {"city": "Lima", "days": 1}}
QUITO = {"name": "weather", "arguments": {"city": "Quito", "days": 2}}


def row_with(answer: dict[str, Any], tools: list[dict[str, Any]] = TOOLS) -> TestRow:
    example = Chat().read_row({"messages": [ASK, {"role": "assistant", **answer}], "tools": tools})
    return TestRow(id="a", prompt=example.prompt, fields=example.fields)


CALLING = row_with({"tool_calls": [{"function": LIMA}, {"function": QUITO}]})
SPELLINGS = {
    "hermes": "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in (LIMA, QUITO)),
    "mistral": f"[TOOL_CALLS]{json.dumps([LIMA, QUITO])}",
    "llama": "; ".join(json.dumps({"name": call["name"], "parameters": call["arguments"]}) for call in (LIMA, QUITO)),
    "openai": json.dumps([{"type": "function", "function": call} for call in (QUITO, LIMA)]),
    "arguments as text": json.dumps([{**call, "arguments": json.dumps(call["arguments"])} for call in (LIMA, QUITO)]),
    "with words": f"Let me look. <tool_call>{json.dumps(QUITO)}</tool_call><tool_call>{json.dumps(LIMA)}</tool_call>",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_same_calls_are_right_in_every_spelling(spelling: str) -> None:
    [verdict] = judge_overlap([CALLING], {"a": SPELLINGS[spelling]}).verdicts
    assert (verdict.outcomes["exact_match"], verdict.kind) == (True, "right")
    assert verdict.slices == {"answer": "tool call"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (json.dumps(LIMA), "other tools"),
        (json.dumps([LIMA, {**QUITO, "arguments": {"city": "Quito", "days": "2"}}]), "other arguments"),
        (json.dumps([LIMA, {**QUITO, "name": "time"}]), "other tools"),
        ("It is mild.", "no tool call"),
        ('<tool_call>{"name": "weather", "arguments": {"city": </tool_call>', "no tool call"),
        ("", "no answer"),
    ],
)
def test_other_calls_are_wrong_and_say_how(answer: str, kind: str) -> None:
    judged = judge_overlap([CALLING], {"a": answer})
    assert (judged.verdicts[0].outcomes["exact_match"], judged.verdicts[0].kind) == (False, kind)
    assert len(judged.wrong) == 1


def test_a_call_where_words_are_right_is_needless_and_json_without_tools_is_text() -> None:
    [verdict] = judge_overlap([row_with({"content": "Mild."})], {"a": json.dumps(LIMA)}).verdicts
    assert verdict.kind == "needless tool call"
    text = json.dumps(LIMA, indent=1)
    [verdict] = judge_overlap([row_with({"content": text}, tools=[])], {"a": text}).verdicts
    assert (verdict.outcomes["exact_match"], verdict.slices) == (True, {})


def test_the_endpoint_gets_the_tools_and_its_calls_are_read() -> None:
    form, section = Chat().form, EvaluationSection()
    body = form.body(CALLING, section)
    assert (body["tools"], body["messages"]) == (TOOLS, [ASK])
    mid = [ASK, {"role": "assistant", "tool_calls": [{"function": LIMA}]}, {"role": "tool", "content": "Mild."}]
    example = Chat().read_row({"messages": [*mid, {"role": "assistant", "content": "Mild."}], "tools": TOOLS})
    sent = form.body(TestRow(id="a", prompt=example.prompt, fields=example.fields), section)["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": json.dumps(LIMA["arguments"])}
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == "000000001"
    assert "tools" not in form.body(row_with({"content": "Mild."}, tools=[]), section)
    calls = [
        {"id": "x", "type": "function", "function": {**call, "arguments": json.dumps(call["arguments"])}}
        for call in (LIMA, QUITO)
    ]
    reply = form.read({"choices": [{"message": {"content": None, "tool_calls": calls}}]})
    assert judge_overlap([CALLING], {"a": reply.text}).verdicts[0].kind == "right"
    calls[0]["function"] = {"name": "weather", "arguments": "{broken"}
    reply = form.read({"choices": [{"message": {"content": "", "tool_calls": calls}}]})
    assert judge_overlap([CALLING], {"a": reply.text}).verdicts[0].kind == "no tool call"


@pytest.mark.parametrize(
    "text", ["Привет, мир", "東京は日本の首都です", "नमस्ते दुनिया", "مرحبا بالعالم", "สวัสดีชาวโลก", "안녕하세요 세계"]
)
def test_equal_texts_score_1_in_every_script(text: str) -> None:
    rows = [TestRow(id="a", prompt=[ASK], fields={"answer": text})]
    assert judge_overlap(rows, {"a": text}).estimates["rouge_l"].value == pytest.approx(1)
    assert judge_overlap(rows, {"a": "something else"}).estimates["rouge_l"].value == 0
