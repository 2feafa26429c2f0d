"""What is read of a row, found out by reading rows: `python -m tests.docs.formats > docs/formats.md`."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from finetune_flows.tasks.base.markdown import table
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.problems.example import BadRow
from finetune_flows.tasks.recipe import Chat, TextClassification

HEAD = """# Formats of rows

What is read of a row. Nothing is dropped in silence: what is not used is counted in the dataset card (*counted*), and what
would change the meaning is quarantined with its reason (*refused*). `since` is the first version that reads it; 0.2 is the
next one. A test reads a row for each line of these tables and compares; `python -m tests.docs.formats > docs/formats.md`
writes the page.

The command `finetune data check` shows the counts, `finetune data show ROWS 12` one row token by token
([chat](chat.md), [classification](classification.md)).
"""
FILES = """## Files

| source | read | since |
| --- | --- | --- |
| `.jsonl`, `.ndjson`, `.json`, `.csv` with commas, `.parquet`, folders of them | yes | 0.1 |
| `.csv` with semicolons, tabs or `\\|`; `.tsv`; columns without a name at the end | yes | 0.2 |
| `.gz` and `.zst` of the text formats | yes | 0.2 |
| patterns: `data/**/rows-*.jsonl` | yes | 0.2 |
| `s3://` (`pip install s3fs`), `gs://` (`pip install gcsfs`), `hf://`, `http://`, `https://` and others of fsspec | yes | 0.2 |
| a folder of `save_to_disk`, with the names of its classes | yes | 0.2 |
| a hub id with a revision; its files give the rows that they give from a disk (a CSV label `007` stays `007`) | yes, as on disk since 0.2 | 0.1 |
| several sources with weights: `dataset.mix_with` | yes | 0.2 |
| `.xlsx`, `.arrow`, `.txt`, databases | no | |

Addresses were tried against servers on one machine: `s3://` against moto, `gs://` (gcsfs 2026.10) against gcp-storage-emulator,
`hf://` against a double of the hub's API, `http://` against Python's server. These libraries find the credentials of private
files in their own ways.
"""

ASK, ANSWER = {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}
TURNS = [ASK, ANSWER, ASK, {"role": "assistant", "content": "There."}]
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
CALLED = [
    ASK,
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"what": "it"}'}}]},
    {"role": "tool", "tool_call_id": "a", "content": "Here."},
    ANSWER,
]  # fmt: skip
SHAREGPT = [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "Here."}]


class Case(NamedTuple):
    """A line of a table: what a row has, in words, and a row that has it. `with_it` must be read differently than without."""

    what: str
    row: Mapping[str, Any]
    since: str
    choice: str = ""
    """The setting that makes the difference, as YAML: `train_on: all`."""


CHAT = {
    "OpenAI": [
        Case("`messages` of `role` and `content`", {"messages": [ASK, ANSWER]}, "0.1"),
        Case("roles `system` and `developer`", {"messages": [{"role": "developer", "content": "Be brief."}, ASK, ANSWER]}, "0.2"),
        Case("all answers", {"messages": TURNS}, "0.2", "train_on: all"),
        Case("`weight: 0`, `loss_weight: 0`, `train: false`, `training: false`, `trainable: false`, `loss: false`", {"messages": [*TURNS[:3], {**ANSWER, "weight": 0}]}, "0.2"),
        Case("a `weight` between 0 and 1", {"messages": [ASK, {**ANSWER, "weight": 0.5}]}, "0.2"),
        Case("`mask`, `train_detail` of an answer", {"messages": [ASK, {**ANSWER, "mask": True}]}, "0.2"),
        Case("content parts of text", {"messages": [{**ASK, "content": [{"type": "text", "text": "Where?"}]}, ANSWER]}, "0.2"),
        Case("content parts that are pictures, sound or files", {"messages": [{**ASK, "content": [{"type": "image_url"}]}, ANSWER]}, "0.2"),
        Case("`tools`, `tool_calls`, parallel calls, role `tool`", {"messages": CALLED, "tools": [TOOL]}, "0.2"),
        Case("`tools` in a message; `input_schema` (Anthropic)", {"messages": [{"role": "system", "content": "Be brief.", "tools": [{"name": "find", "input_schema": {"type": "object"}}]}, ASK, ANSWER]}, "0.2"),
        Case("a result for a call that is not open", {"messages": [*CALLED[:2], {**CALLED[2], "tool_call_id": "b"}, ANSWER]}, "0.2"),
        Case("`functions`, `function_call`, role `function`", {"messages": [ASK, {"role": "assistant", "function_call": {"name": "find", "arguments": "{}"}}, {"role": "function", "name": "find", "content": "Here."}, ANSWER], "functions": [TOOL["function"]]}, "0.2"),
        Case("`reasoning_content`, `reasoning`, `thinking`", {"messages": [ASK, {**ANSWER, "reasoning": "Hm."}]}, "0.2"),
        Case("the same, kept", {"messages": [ASK, {**ANSWER, "reasoning": "Hm."}]}, "0.2", "reasoning: keep"),
        Case("`name` of a user, and other keys of messages", {"messages": [{**ASK, "name": "Ann"}, ANSWER]}, "0.2"),
        Case("two turns of one role in a row", {"messages": [ASK, ASK, ANSWER]}, "0.1"),
        Case("the same, merged", {"messages": [ASK, ASK, ANSWER]}, "0.2", "consecutive: merge"),
        Case("a first turn of the assistant", {"messages": [ANSWER, *TURNS]}, "0.1"),
    ],
    "ShareGPT": [
        Case("`conversations` of `from` and `value`", {"conversations": SHAREGPT}, "0.1"),
        Case("`from` and `value` in `messages`, or `role` and `content` in `conversations`", {"messages": SHAREGPT}, "0.2"),
        Case("`messages: null` next to it", {"messages": None, "conversations": SHAREGPT}, "0.2"),
        Case("`function_call` and `observation`, with `tools` as JSON", {"conversations": [SHAREGPT[0], {"from": "function_call", "value": '{"name": "find", "arguments": {}}'}, {"from": "observation", "value": "Here."}, SHAREGPT[1]], "tools": json.dumps([TOOL["function"]])}, "0.2"),
    ],
    "Alpaca": [
        Case("`instruction`, `input`, `output`", {"instruction": "Where?", "input": "", "output": "Here."}, "0.1"),
        Case("several outputs", {"instruction": "Where?", "output": ["Here.", "There."]}, "0.2"),
        Case("`history` of pairs", {"instruction": "Where?", "output": "Here.", "history": [["What?", "It."]]}, "0.2"),
    ],
    "prompt and completion": [
        Case("`prompt`, `completion`: texts or messages", {"prompt": "Where?", "completion": [ANSWER]}, "0.1"),
        Case("the indentation of an answer", {"prompt": "Where?", "completion": "    return here"}, "0.2"),
    ],
    "every form": [
        Case("`system`, `system_prompt` or `system_message`", {"messages": [ASK, ANSWER], "system": "Be brief."}, "0.2"),
        Case("the same, where the turns have another", {"messages": [{"role": "system", "content": "Rhyme."}, ASK, ANSWER], "system": "Be brief."}, "0.2"),
        Case("lists as JSON or Python in a text (CSV)", {"messages": json.dumps([ASK, ANSWER])}, "0.2"),
        Case("null and NaN for nothing", {"instruction": "Where?", "input": float("nan"), "output": "Here."}, "0.2"),
        Case("`images`, `audio`, `videos`", {"messages": [ASK, ANSWER], "images": ["a.png"]}, "0.2"),
        Case("other columns", {"messages": [ASK, ANSWER], "source": "forum"}, "0.2"),
        Case("`chosen` and `rejected`", {"prompt": "Where?", "chosen": "Here.", "rejected": "There."}, "0.1"),
    ],
}  # fmt: skip
LABELS = {
    "one label": [
        Case("text, whole number, true or false", {"label": 1}, "0.1"),
        Case("decimal of Parquet, date", {"label": Decimal("1.00")}, "0.2"),
        Case("1, 1.0, true and their texts as one label", {"label": "1.0"}, "0.2", "label_names: {1: positive}"),
        Case("a fraction", {"label": 0.5}, "0.1"),
        Case("nothing", {"label": None}, "0.1"),
        Case("a list", {"label": ["a"]}, "0.1"),
        Case("a list in a text", {"label": "['a']"}, "0.2"),
        Case("other columns", {"label": "a", "id": 7}, "0.2"),
    ],
    "several labels": [
        Case("a list, or text between separators", {"label": "a, b"}, "0.1", "multi_label: true"),
        Case("a list in a text: JSON, Python or numpy", {"label": "['a' 'b']"}, "0.2", "multi_label: true"),
        Case("a list of 0 and 1, as for columns", {"label": [0, 1, 0]}, "0.2", "multi_label: true"),
        Case("a separator within brackets or quotes", {"label": "cough (dry, loud), fever"}, "0.2", "multi_label: true"),
        Case("separators at the ends", {"label": "a, b, "}, "0.2", "multi_label: true"),
        Case("null, NaN, blank and `[]` as no label", {"label": None}, "0.2", "multi_label: true"),
        Case("columns of 0 and 1", {"rude": 1, "toxic": "0"}, "0.2", "label_columns: [rude, toxic]"),
        Case("the same with a gap", {"rude": None, "toxic": 0}, "0.2", "label_columns: [rude, toxic]"),
    ],
}  # fmt: skip


def page() -> str:
    """The page as Markdown."""
    chats = _table(CHAT, Chat, {})
    labels = _table(LABELS, TextClassification, {"text": "A text."})
    return "\n".join([HEAD, FILES, "## Chat", "", *chats, "", "## Text classification", "", *labels]) + "\n"


def _table(groups: Mapping[str, list[Case]], problem: Callable[..., Problem], more: dict[str, Any]) -> Iterator[str]:
    rows = [
        (form, case.what, outcome(problem, case, more), f"`problem.{case.choice}`" if case.choice else "", case.since)
        for form, cases in groups.items()
        for case in cases
    ]
    yield from table(("format", "what", "read", "with", "since"), rows)


def outcome(problem: Callable[..., Problem], case: Case, more: dict[str, Any]) -> str:
    """What becomes of the row of a case: yes, counted or refused."""
    import yaml

    settings = yaml.safe_load(f"{{{case.choice}}}") if case.choice else {}
    try:
        example = problem(**settings).read_row({**more, **case.row})
    except BadRow as bad:
        return f"refused: {', '.join(sorted({reason.kind for reason in bad.reasons}))}"
    unused = [name for name in example.unused if name != "turns after the last answer to learn"]
    return f"counted: {', '.join(unused)}" if unused else "yes"


if __name__ == "__main__":
    print(page(), end="")
