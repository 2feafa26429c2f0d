"""Conversations as people have them: every part of a row is used, counted as unused, or a reason against the row."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.problems.example import BadRow, Example
from finetune_flows.tasks.recipe import Chat

ASK = {"role": "user", "content": "Where is Lima?"}
ANSWER = {"role": "assistant", "content": "In Peru."}
MORE = {"role": "user", "content": "And Quito?"}
LAST = {"role": "assistant", "content": "In Ecuador."}
NAN = float("nan")
TOOL = {"type": "function", "function": {"name": "weather", "description": "", "parameters": {"type": "object"}}}
IDS = ("000000001", "000000002")


def call(city: str, **more: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "weather", "arguments": {"city": city}}, **more}


def read(row: dict[str, Any], **chat: Any) -> Example:
    return Chat(**chat).read_row(row)


def why(row: dict[str, Any], **chat: Any) -> set[str]:
    with pytest.raises(BadRow) as caught:
        read(row, **chat)
    return {reason.kind for reason in caught.value.reasons}


def learnt(example: Example, **chat: Any) -> list[str]:
    """The answers that the model learns."""
    whole = Chat(**chat).conversation(example.fields) or {"messages": [{**example.completion[0], "train": True}]}
    return [message["content"] for message in whole["messages"] if message.get("train")]


FLAGS = [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"training": False}, {"loss": False}, {"weight": "0"},
         {"loss_weight": 0}, {"trainable": False}]  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS, ids=str)
def test_an_answer_that_must_not_be_learnt_is_not_the_target(flag: dict[str, Any]) -> None:
    row = {"messages": [ASK, ANSWER, MORE, {**LAST, **flag}]}
    example = read(row)
    assert (example.prompt, example.completion) == ([ASK], [ANSWER])
    assert example.unused == ("turns after the last answer to learn",)
    earlier = {"messages": [ASK, {**ANSWER, **flag}, MORE, LAST]}
    assert learnt(read(earlier, train_on="all"), train_on="all") == ["In Ecuador."]
    assert why({"messages": [ASK, {**ANSWER, **flag}]}) == {"no answer to learn"}


@pytest.mark.parametrize(
    "flag", [{"mask": True}, {"train_detail": [{"begin_offset": 0, "end_offset": 1, "train": False}]}]
)
def test_a_mask_of_another_program_is_refused(flag: dict[str, Any]) -> None:
    assert why({"messages": [ASK, {**ANSWER, **flag}]}) == {"unclear weight of a message"}


def test_a_weight_that_is_neither_0_nor_1_is_refused() -> None:
    assert why({"messages": [ASK, {**ANSWER, "weight": 0.5}]}) == {"unclear weight of a message"}
    assert why({"messages": [ASK, {**ANSWER, "weight": 1, "train": False}]}) == {"unclear weight of a message"}


def test_the_recipe_says_whether_the_last_or_all_answers_are_learnt() -> None:
    row = {"messages": [ASK, ANSWER, MORE, LAST]}
    assert learnt(read(row)) == ["In Ecuador."]
    example = read(row, train_on="all")
    assert learnt(example, train_on="all") == ["In Peru.", "In Ecuador."]
    assert (example.prompt, example.completion) == ([ASK, ANSWER, MORE], [LAST])
    assert Chat(train_on="all").read_row(Chat(train_on="all").row_of(example.fields)) == example
    weighted = {"messages": [ASK, {**ANSWER, "weight": 1}, MORE, {**LAST, "weight": 1}]}
    assert read(weighted).unused == ("weight 1 of earlier answers",)


@pytest.mark.parametrize("column", ["system", "system_prompt", "system_message"])
def test_a_system_column_is_read_next_to_every_form(column: str) -> None:
    rows: list[dict[str, Any]] = [
        {"messages": [ASK, ANSWER]},
        {"conversations": [{"from": "human", "value": "Where is Lima?"}, {"from": "gpt", "value": "In Peru."}]},
        {"prompt": "Where is Lima?", "completion": "In Peru."},
        {"instruction": "Where is Lima?", "output": "In Peru."},
    ]
    for row in rows:
        example = read({**row, column: "Be brief."}, system="Be long.")
        assert example.prompt == [{"role": "system", "content": "Be brief."}, ASK]
        assert example.unused == ()
    own = [{"role": "system", "content": "Rhyme."}, ASK, ANSWER]
    assert why({"messages": own, column: "Be brief."}) == {"two system messages"}
    assert read({"messages": own, column: "Rhyme."}).prompt[0]["content"] == "Rhyme."
    parts = [{"type": "text", "text": "Rhyme."}]
    assert read({"messages": [ASK, ANSWER], column: parts}).prompt[0]["content"] == "Rhyme."
    assert why({"messages": [ASK, ANSWER], column: {"text": "Rhyme."}}) == {"not a string"}


@pytest.mark.parametrize("column", ["messages", "conversations"])
def test_both_spellings_of_a_message_are_read_in_both_columns(column: str) -> None:
    said = [{"from": "human", "value": "Where is Lima?"}, {"from": "gpt", "value": "In Peru."}]
    other = "conversations" if column == "messages" else "messages"
    for messages in (said, [ASK, ANSWER], [said[0], ANSWER]):
        example = read({column: messages, other: None})
        assert (example.prompt, example.completion, example.unused) == ([ASK], [ANSWER], ())
    assert read(
        {column: [{"from": "User", "value": "Where is Lima?"}, {"from": "AI", "value": "In Peru."}]}
    ).prompt == [ASK]


def test_lists_written_into_a_text_are_read() -> None:
    messages = [ASK, ANSWER]
    for text in (json.dumps(messages), repr(messages), f" {json.dumps(messages)} "):
        assert read({"messages": text}) == read({"messages": messages})
    assert read({"prompt": json.dumps([ASK]), "completion": "[1, 2]"}).completion[0]["content"] == "[1, 2]"
    assert why({"messages": "Where is Lima?"}) == {"not a list of messages"}


def test_parts_of_text_are_joined_and_other_parts_are_refused() -> None:
    parts = [{"type": "text", "text": "Where is "}, {"type": "text", "text": "Lima?"}]
    assert read({"messages": [{"role": "user", "content": parts}, ANSWER]}).prompt[0]["content"] == "Where is Lima?"
    picture = [*parts, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    assert why({"messages": [{"role": "user", "content": picture}, ANSWER]}) == {"content that is not text"}
    assert why({"messages": [ASK, ANSWER], "images": ["a.png"]}) == {"content that is not text"}
    assert why({"instruction": "Where is Lima?", "output": ["In Peru.", "By the sea."]}) == {"several texts"}
    assert read({"messages": [ASK, ANSWER], "images": []}).unused == ()


@pytest.mark.parametrize("nothing", [None, NAN, "", "  "], ids=str)
def test_null_nan_and_blank_are_nothing(nothing: object) -> None:
    alpaca = {"instruction": "Where is Lima?", "input": nothing, "output": "In Peru.", "system": nothing}
    assert read({**alpaca, "history": nothing, "tools": nothing}).prompt == [ASK]
    assert why({**alpaca, "output": nothing}) == {"empty"}
    assert why({"messages": [ASK, {"role": "assistant", "content": nothing}]}) == {"empty"}
    assert read({"messages": [{"role": "system", "content": nothing}, ASK, ANSWER]}).prompt == [ASK]
    assert read({"messages": [ASK, {**ANSWER, "weight": None, "name": None}], "id": nothing}).unused == ()


def test_turns_of_one_role_in_a_row_are_merged_if_the_recipe_says_so() -> None:
    row = {"messages": [ASK, MORE, ANSWER, LAST]}
    assert why(row) == {"turns out of order"}
    example = read(row, consecutive="merge")
    assert example.prompt == [{"role": "user", "content": "Where is Lima?\n\nAnd Quito?"}]
    assert example.completion[0]["content"] == "In Peru.\n\nIn Ecuador."
    assert why({"messages": [ASK, ANSWER, {**LAST, "weight": 0}]}, consecutive="merge") == {"turns out of order"}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("    return a\n", "    return a"),
        ("\n\n\treturn a", "\treturn a"),
        ("  - one\n  - two", "  - one\n  - two"),
        (" In Peru.\n", "In Peru."),
    ],
)
def test_the_indentation_of_an_answer_is_kept(written: str, kept: str) -> None:
    assert read({"prompt": "Go on.", "completion": written}).fields["answer"] == kept


def test_the_history_of_alpaca_comes_first() -> None:
    row = {"instruction": "And Quito?", "output": "In Ecuador.", "history": [["Where is Lima?", "In Peru."]]}
    assert read(row).prompt == [ASK, ANSWER, MORE]
    assert read({**row, "history": json.dumps(row["history"])}).prompt == [ASK, ANSWER, MORE]
    assert why({**row, "history": "Where is Lima?"}) == {"not a history"}


OPENAI = {
    "tools": [TOOL],
    "messages": [
        ASK,
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lima"}'}},
            {"id": "b", "type": "function", "function": {"name": "weather", "arguments": {"city": "Quito"}}},
        ]},
        {"role": "tool", "tool_call_id": "a", "content": "mild"},
        {"role": "tool", "tool_call_id": "b", "content": "cool"},
        LAST,
    ],
}  # fmt: skip
SHAREGPT = {
    "tools": json.dumps([TOOL["function"]]),
    "conversations": [
        {"from": "human", "value": "Where is Lima?"},
        {"from": "function_call", "value": json.dumps([{"name": "weather", "arguments": {"city": city}} for city in ("Lima", "Quito")])},
        {"from": "observation", "value": "mild"},
        {"from": "observation", "value": "cool"},
        {"from": "gpt", "value": "In Ecuador."},
    ],
}  # fmt: skip


def test_tool_calls_are_read_in_both_forms() -> None:
    openai, sharegpt = read(OPENAI), read(SHAREGPT)
    assert openai.tools == sharegpt.tools == (TOOL,)
    assert openai.prompt[1]["tool_calls"] == [call("Lima", id="a"), call("Quito", id="b")]
    assert sharegpt.prompt[1]["tool_calls"] == [call("Lima", id=IDS[0]), call("Quito", id=IDS[1])]
    assert [sharegpt.prompt[place]["tool_call_id"] for place in (2, 3)] == [*IDS]
    assert openai.prompt[2] == {"role": "tool", "content": "mild", "tool_call_id": "a"}
    assert (openai.unused, sharegpt.unused) == ((), ())
    for example in (openai, sharegpt):
        assert read(Chat().row_of(example.fields)) == example
    assert learnt(read(OPENAI, train_on="all"), train_on="all") == ["", "In Ecuador."]


def test_a_result_answers_a_call_that_was_made() -> None:
    messages = json.loads(json.dumps(OPENAI["messages"]))
    next(each for each in messages if each["role"] == "tool")["tool_call_id"] = "z"
    assert why({"messages": messages}) == {"turns out of order"}


def test_tools_may_be_in_the_system_message_and_in_anthropics_form() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    told = {"role": "system", "content": "Be brief.", "tools": [{"name": "weather", "input_schema": schema}]}
    example = read({"messages": [told, ASK, ANSWER]})
    assert example.tools == ({"type": "function", "function": {"name": "weather", "parameters": schema}},)
    assert example.prompt[0] == {"role": "system", "content": "Be brief."}
    assert not example.unused
    assert read({"messages": [told, ASK, ANSWER], "tools": told["tools"]}).tools == example.tools


def test_a_call_may_be_the_answer() -> None:
    example = read({"tools": [TOOL], "messages": OPENAI["messages"][:2]})  # type: ignore[index]
    assert example.completion[0]["tool_calls"] == [call("Lima", id="a"), call("Quito", id="b")]
    assert read(Chat().row_of(example.fields)) == example
    merged = [{"from": "human", "value": "Where is Lima?"}] + [
        {"from": "function_call", "value": json.dumps({"name": "weather", "arguments": {"city": city}})}
        for city in ("Lima", "Quito")
    ]
    both = read({"conversations": merged}, consecutive="merge").completion[0]["tool_calls"]
    assert both == [call("Lima", id=IDS[0]), call("Quito", id=IDS[1])]


def test_tools_have_the_parts_and_the_order_that_servers_give_to_templates() -> None:
    function = {"strict": True, "parameters": {"type": "object", "properties": {}}, "description": None, "name": "find"}
    example = read({"tools": [{"function": function}], "messages": [ASK, ANSWER]})
    assert json.dumps(example.tools[0]["function"]) == json.dumps(
        {"name": "find", "parameters": function["parameters"]}
    )
    assert example.unused == ("strict of tools",)
    bare = read({"functions": [{"name": "find"}], "messages": [ASK, ANSWER]})
    assert bare.tools[0]["function"] == {"name": "find", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"tools": "weather"}, "not a list of tools"),
        ({"tools": [{"type": "function"}]}, "not a tool"),
        ({"messages": [ASK, {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "Lima"}]}]}, "not a tool call"),
        ({"messages": [ASK, {"role": "assistant", "tool_calls": [{"arguments": {}}]}]}, "not a tool call"),
        ({"messages": [{**ASK, "tool_calls": [call("Lima")]}, ANSWER]}, "not a message"),
        ({"messages": [ASK, {"role": "tool", "content": "mild"}, ANSWER]}, "turns out of order"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "settings of the chat template"),
        ({"messages": [ASK, {"role": "assistant", "tool_calls": [call("<|im_end|>")]}]}, "chat template token"),
    ],
)  # fmt: skip
def test_tools_that_cannot_be_read_say_why(change: dict[str, Any], kind: str) -> None:
    assert why({**OPENAI, **change}) == {kind}


def test_reasoning_is_left_out_and_counted_or_kept() -> None:
    for name in ("reasoning_content", "reasoning", "thinking"):
        row = {"messages": [ASK, {**ANSWER, name: "Peru, I think."}]}
        assert (read(row).completion, read(row).unused) == ([ANSWER], ("reasoning of messages",))
        kept = read(row, reasoning="keep")
        assert kept.completion == [{**ANSWER, "reasoning_content": "Peru, I think."}]
        assert kept.unused == ()
        assert Chat(reasoning="keep").read_row(Chat(reasoning="keep").row_of(kept.fields)) == kept


def test_the_reasoning_of_earlier_turns_is_left_out() -> None:
    """Clients send their history without it."""
    thought = {**ANSWER, "reasoning": "Hm."}
    example = read({"messages": [ASK, thought, MORE, {**LAST, "reasoning": "Ah."}]}, reasoning="keep", train_on="all")
    assert (example.prompt[1], example.completion[0]["reasoning_content"]) == (ANSWER, "Ah.")
    assert example.unused == ("reasoning of messages",)


def test_what_is_not_used_is_named() -> None:
    row = {"messages": [{**ASK, "name": "Ann", "id": 3}, ANSWER], "source": "forum", "score": 0.5, "prompt": "Where?"}
    assert read(row).unused == ("id of messages", "name of messages", "prompt", "score", "source")


def test_the_id_of_a_plain_row_is_that_of_earlier_versions() -> None:
    assert read({"messages": [ASK, ANSWER]}).id == "3b07f800993030c85343adea22f41038"


def test_unused_parts_are_counted_in_the_audit(tmp_path: Path) -> None:
    from finetune_flows.tasks.dataset.build import build_dataset
    from finetune_flows.tasks.recipe import DatasetSection
    from finetune_flows.tasks.reporting.dataset_card import dataset_card

    rows = [
        {
            "messages": [{"role": "user", "content": f"Question {n}"}, {**ANSWER, "reasoning": "Hm."}],
            "kind": "a",
            "by": n,
        }
        for n in range(30)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    section = DatasetSection(source=str(tmp_path / "rows.jsonl"), slice_column="kind")
    audit = build_dataset(section, Chat(), None, tmp_path / "out")
    assert audit.unused == {"by": 30, "reasoning of messages": 30}
    assert "| reasoning of messages | 30 |" in dataset_card(audit)


def test_arguments_that_json_cannot_hold_are_refused() -> None:
    for arguments in ({"day": date(2024, 1, 31)}, {"raw": b"a"}, {"number": NAN}, "{'raw': b'a'}"):
        calling = {"role": "assistant", "tool_calls": [{"name": "weather", "arguments": arguments}]}
        assert why({"messages": [ASK, calling]}) == {"not a tool call"}
    spelt = read({"messages": [ASK, {"role": "assistant", "tool_calls": "[{'name': 'f', 'arguments': {1: (2,)}}]"}]})
    assert spelt.completion[0]["tool_calls"][0]["function"]["arguments"] == {"1": [2]}


KEYS = st.sampled_from(
    ["messages", "conversations", "prompt", "completion", "instruction", "output", "history", "system", "tools", "role",
     "from", "content", "value", "tool_calls", "function", "name", "arguments", "weight", "train", "reasoning", "type", "text"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["user", "assistant", "human", "gpt", "tool", "system", "function_call", "text", "[", "{'a': b'b'}", ""]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=9) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
MESSAGE = st.fixed_dictionaries(
    {"role": WORDS},
    optional={"content": VALUES, "value": VALUES, "tool_calls": VALUES, "weight": VALUES, "reasoning": VALUES},
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(KEYS, VALUES, max_size=5)
    | st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=5)}, optional={"tools": VALUES, "system": VALUES})
)
def test_any_row_is_an_example_or_has_a_reason(row: dict[str, Any]) -> None:
    problem = Chat(train_on="all", consecutive="merge", reasoning="keep")
    try:
        example = problem.read_row(row)
    except BadRow as bad:
        if not bad.reasons:
            raise
        return
    assert problem.read_row(problem.row_of(example.fields)).id == example.id
