"""Lengths are the trainer's; long rows are quarantined or lose schema, never their answer; test rows lose nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp
from transformers import AutoTokenizer

from finetune_flows.tasks.base.errors import DatasetError, RecipeError
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.recipe import Chat, TextClassification
from finetune_flows.tasks.sections.stages import DatasetSection
from tests.tasks.dataset.conftest import CHATML, save_tokenizer
from tests.tasks.dataset.dataset_rows import SQLITE, build, quarantined, read_all, row, sound_rows, write_jsonl

WIDE = ", ".join(f"unused_{n} TEXT" for n in range(40))


def wide_row(table: str, number: int, **changes: Any) -> dict[str, Any]:
    """A row whose schema has many columns and a table that the answer does not use."""
    context = f"CREATE TABLE {table} (name TEXT, number INTEGER, {WIDE}); CREATE TABLE {table}_unused ({WIDE})"
    return row(table, number, context=context, **changes)


def test_tokens_are_those_of_the_whole_conversation_under_the_chat_template(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    rows = [*sound_rows(), row("t", question="無極威 \U0001f600 ‰?"), wide_row("wide", 1)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    audit = build(source, tmp_path / "out", tokenizer=tokenizer_folder, max_tokens=10_000)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    lengths = []
    for each in [each for split in read_all(tmp_path / "out").values() for each in split]:
        conversation = each["prompt"] + each["completion"]
        assert [message["role"] for message in conversation] == ["system", "user", "assistant"]
        ids = tokenizer.apply_chat_template(conversation, tokenize=True)["input_ids"]
        assert each["tokens"] == len(ids)
        # One token for each byte, two for each turn's markers.
        text = "".join(f"{message['role']}\n{message['content']}\n" for message in conversation)
        assert each["tokens"] == len(text.encode()) + 6
        lengths.append(len(ids))
    assert audit.lengths is not None
    assert audit.lengths.longest == max(lengths)
    assert audit.lengths.median == sorted(lengths)[(len(lengths) - 1) // 2]


def test_longer_rows_are_quarantined_with_their_length(tmp_path: Path, tokenizer_folder: Path) -> None:
    lines = [*sound_rows(), row("t", 1, question="long " * 200)]
    audit = build(
        write_jsonl(tmp_path / "rows.jsonl", lines), tmp_path / "out", tokenizer=tokenizer_folder, max_tokens=500
    )
    assert audit.reasons == {"too long": 1}
    [line] = quarantined(tmp_path / "out")
    assert line["line"] == 101
    assert line["reasons"][0]["detail"].endswith("tokens, dataset.max_tokens is 500")
    assert all(each["tokens"] <= 500 for rows in read_all(tmp_path / "out").values() for each in rows)


def test_a_shorter_schema_lets_long_rows_fit_but_never_in_the_test(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = [wide_row(f"wide_{n}", n) for n in range(40)] + sound_rows(tables=40, each=1)
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    audit = build(
        source, tmp_path / "out", tokenizer=tokenizer_folder, max_tokens=500, too_long="shorten_context", test_share=0.3
    )
    splits = read_all(tmp_path / "out")
    originals = {each["answer"]: each["context"] for each in rows}
    with pytest.raises(DatasetError, match="too long for the test"):
        build(
            source,
            tmp_path / "stopped",
            tokenizer=tokenizer_folder,
            max_tokens=500,
            too_long="shorten_context",
            test_share=0.3,
            max_quarantined=0.01,
        )
    assert audit.lengths is not None
    assert audit.lengths.shortened > 10
    assert audit.lengths.shortened + audit.reasons["too long for the test"] == 40
    for each in splits["train"] + splits["validation"]:
        assert each["fields"]["answer"] in originals
        assert "unused" not in each["fields"]["context"]
        assert each["fields"]["context"] in each["prompt"][0]["content"]
        assert each["tokens"] <= 500
    for each in splits["test"]:
        assert each["fields"]["context"] == originals[each["fields"]["answer"]]


def test_rows_of_a_test_source_are_not_shortened(tmp_path: Path, tokenizer_folder: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows())
    test = write_jsonl(tmp_path / "test.jsonl", [wide_row("t", 1), row("u", 1)])
    audit = build(
        source,
        tmp_path / "out",
        tokenizer=tokenizer_folder,
        max_tokens=500,
        too_long="shorten_context",
        test_source=str(test),
    )
    assert audit.reasons == {"too long": 1}
    assert audit.splits["test"] == 1


def test_an_answer_that_is_too_long_by_itself_is_quarantined(tmp_path: Path, tokenizer_folder: Path) -> None:
    answer = "SELECT name FROM wide WHERE " + " OR ".join(f"number = {n}" for n in range(100))
    lines = [*sound_rows(), wide_row("wide", 1, answer=answer)]
    audit = build(
        write_jsonl(tmp_path / "rows.jsonl", lines),
        tmp_path / "out",
        tokenizer=tokenizer_folder,
        max_tokens=500,
        too_long="shorten_context",
    )
    assert audit.reasons == {"too long": 1}


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("SELECT a FROM t", {"t": ["a"]}),
        ("SELECT COUNT(*) FROM t", {"t": ["a"]}),  # a table needs a column
        ("SELECT * FROM t", {"t": ["a", "B", "c"]}),
        ("SELECT u.* FROM t JOIN u ON t.a = u.a", {"t": ["a", "B", "c"], "u": ["a", "x"]}),
        ("SELECT x FROM t JOIN u USING (a) WHERE b > 1", {"t": ["a", "B"], "u": ["a", "x"]}),
        ("SELECT c FROM t NATURAL JOIN u", {"t": ["a", "B", "c"], "u": ["a", "x"]}),
        ("SELECT c FROM t WHERE a IN (SELECT a FROM u)", {"t": ["a", "c"], "u": ["a"]}),
    ],
)
def test_what_the_answer_uses_stays_in_the_schema(answer: str, kept: dict[str, list[str]]) -> None:
    context = "CREATE TABLE t (a INT PRIMARY KEY, B INT, c TEXT, UNIQUE (B, c)); CREATE TABLE u (a INT, x TEXT); CREATE TABLE v (a INT)"
    example = SQLITE.read_row(row("t", context=context, answer=answer))
    *_, last = SQLITE.shortened(example)
    statements = sqlglot.parse(last.fields["context"], read="sqlite")
    found = {
        statement.find(exp.Table).name: [column.name for column in statement.find_all(exp.ColumnDef)]  # type: ignore[union-attr]
        for statement in statements
        if statement
    }
    assert found == kept
    assert last.fields["answer"] == answer
    assert last.id == example.id


def test_a_special_token_of_this_very_tokenizer_is_caught(tmp_path: Path, tokenizer_folder: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [*sound_rows(), row("t", question="[END] what?")])
    assert build(source, tmp_path / "with", tokenizer=tokenizer_folder).reasons == {"chat template token": 1}
    assert build(source, tmp_path / "without").reasons == {}


def test_without_a_tokenizer_lengths_are_not_looked_at(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [*sound_rows(), row("t", question="long " * 2000)])
    audit = build(source, tmp_path / "out", max_tokens=32)
    assert audit.lengths is None
    assert audit.usable == 101
    assert {each["tokens"] for rows in read_all(tmp_path / "out").values() for each in rows} == {None}


def test_a_tokenizer_without_a_chat_template_is_a_mistake_in_the_recipe(
    tmp_path: Path, tokenizer_without_template: Path
) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows())
    with pytest.raises(RecipeError, match=r"chat_template: the tokenizer in .* has none"):
        build(source, tmp_path / "out", tokenizer=tokenizer_without_template)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (
            "{{ raise_exception('No system role') if messages[0]['role'] == 'system' }}",
            "does not accept system and user",
        ),
        ("{% set messages = messages[1:] if messages[0]['role'] == 'system' else messages %}", "leaves out the system"),
        ("{{ raise_exception('No answers') if messages[-1]['role'] == 'assistant' }}", "refuses a conversation"),
    ],
)
def test_a_template_that_refuses_or_loses_what_the_rows_have_says_so(tmp_path: Path, start: str, words: str) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows())
    folder = save_tokenizer(tmp_path / "tokenizer", start + CHATML)
    with pytest.raises(RecipeError, match=rf"{words}.*") as raised:
        build(source, tmp_path / "out", tokenizer=folder)
    assert "for example chatml" in str(raised.value)


@pytest.mark.parametrize(
    ("problem", "row"),
    [
        (Chat(), {"messages": [{"role": "user", "content": "Hi {}"}, {"role": "assistant", "content": "Hello {}"}]}),
        (TextClassification(), {"text": "number {}", "label": "{}"}),
    ],
)
def test_a_template_without_a_system_role_suits_rows_that_have_none(
    tmp_path: Path, tokenizer_without_system_role: Path, problem: Any, row: dict[str, Any]
) -> None:
    lines = [json.loads(json.dumps(row).replace("{}", str(n % 2 if "label" in row else n))) for n in range(40)]
    lines = [each | ({"text": f"text {n}"} if "text" in each else {}) for n, each in enumerate(lines)]
    section = DatasetSection(source=str(write_jsonl(tmp_path / "rows.jsonl", lines)))
    audit = build_dataset(section, problem, tokenizer_without_system_role, tmp_path / "out")
    assert audit.reasons == {}


def test_a_base_model_without_the_head_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    folder = save_tokenizer(tmp_path / "tokenizer", CHATML)
    (folder / "heads.json").write_text('["classifier"]')
    with pytest.raises(RecipeError, match="this base model can only classify texts"):
        build(write_jsonl(tmp_path / "rows.jsonl", sound_rows()), tmp_path / "out", tokenizer=folder)
