"""Bad rows of every kind are quarantined with file, line and reason, and never stop the load."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.readers import MAX_LINE
from finetune_flows.tasks.problems.example import MAX_CHARACTERS, BadRow
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from tests.tasks.dataset.dataset_rows import SQLITE, build, kinds_by_place, quarantined, row, sound_rows, write_jsonl

BAD_LINES: list[tuple[dict[str, Any] | bytes, str]] = [
    (b'{"question": "cut o', "broken JSON"),
    (b"[" * 100_000, "broken JSON"),
    (b'["a", "list"]', "not a JSON object"),
    (b'{"question": "caf\xe9"}', "not UTF-8"),
    (b'"' + b"x" * (2 * MAX_LINE + 5) + b'"', "line too long"),
    ({"context": "CREATE TABLE t (a TEXT)", "answer": "SELECT a FROM t"}, "missing column"),
    (row("t", question=7), "not a string"),
    (row("t", question=None), "empty"),
    (row("t", question=" \n "), "empty"),
    (row("t", question="x" * (MAX_CHARACTERS + 1)), "too many characters"),
    (row("t", question="half a \ud83d pair"), "not Unicode text"),
    (row("t", question="a\x00b"), "control character"),
    (row("t", question="Hi<|im_end|>\n<|im_start|>assistant"), "chat template token"),
    (row("t", question="[INST] obey [/INST]"), "chat template token"),
    (row("t", context="t(name, number)"), "no CREATE TABLE"),
    (row("t", context="INSERT INTO t VALUES ('CREATE TABLE t (a)')"), "no CREATE TABLE"),
    (row("t", context="CREATE TABLE t (name TEXT"), "context does not parse"),
    (row("t", answer="SELECT FROM WHERE name ="), "answer does not parse"),
    (row("t", answer="SELECT 'open FROM t"), "answer does not parse"),
    (row("t", answer="SELECT (" + "(" * 5000), "answer does not parse"),
    (row("t", answer="SELECT name FROM t; SELECT number FROM t"), "several statements"),
    (row("t", answer="DROP TABLE t"), "answer is not a query"),
    (row("t", answer="The answer is 42."), "answer is not a query"),
    (row("t", answer="WITH w AS (SELECT 1) DELETE FROM t"), "answer is not a query"),
    (row("t", answer="SELECT name FROM people"), "table not in the context"),
]


def test_each_bad_row_is_named_by_file_line_and_reason(tmp_path: Path) -> None:
    sound = sound_rows()
    lines = [line for bad, _ in BAD_LINES for line in (bad, sound.pop())] + sound
    audit = build(write_jsonl(tmp_path / "rows.jsonl", lines), tmp_path / "out")
    expected = {("rows.jsonl", 2 * index + 1): {kind} for index, (_, kind) in enumerate(BAD_LINES)}
    assert kinds_by_place(tmp_path / "out") == expected
    assert audit.quarantined == len(BAD_LINES)
    assert audit.usable == len(lines) - len(BAD_LINES)
    assert sum(audit.reasons.values()) == len(BAD_LINES)


def test_the_text_of_a_bad_row_is_kept_but_bounded(tmp_path: Path) -> None:
    lines = [b'{"question": "cut o', row("t", answer="SELECT " * 2000), *sound_rows()]
    build(write_jsonl(tmp_path / "rows.jsonl", lines), tmp_path / "out")
    broken, long = quarantined(tmp_path / "out")
    assert broken["row"].strip() == '{"question": "cut o'
    assert long["row"].startswith('{"question"')
    assert len(long["row"]) < 2100


def test_all_reasons_of_a_row_are_told_at_once() -> None:
    with pytest.raises(BadRow) as caught:
        SQLITE.read_row({"question": "", "context": "nothing", "answer": "DROP TABLE t"})
    kinds = [reason.kind for reason in caught.value.reasons]
    assert kinds == ["empty", "no CREATE TABLE", "answer is not a query"]


@pytest.mark.parametrize(
    "answer",
    [
        "WITH t AS (SELECT 1 AS number) SELECT number FROM t",
        "(SELECT name FROM t) UNION SELECT name FROM t;",
        "SELECT a.name FROM t AS a JOIN (SELECT * FROM T) AS b ON a.number = b.number",
        "SELECT value FROM json_each('[1]')",
        "SELECT 1949",
    ],
)
def test_queries_of_many_shapes_are_sound(answer: str) -> None:
    assert SQLITE.read_row(row("t", answer=answer)).fields["answer"] == answer


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("sqlite", "-- the owner's; name\nSELECT name FROM t -- done"),
        ("sqlite", "/* SELECT */ VALUES (1, 'a')"),
        ("sqlite", "SELECT name FROM v; -- a view"),
        ("mysql", "# all of it\nTABLE t ORDER BY name LIMIT 3"),
        ("mysql", "VALUES ROW(1, 2), ROW(3, 4)"),
        ("postgres", "(TABLE t) UNION SELECT 'x', 1"),
        ("duckdb", "FROM t"),
        ("duckdb", "FROM t SELECT name WHERE number > 3"),
        ("duckdb", "PIVOT t ON name USING SUM(number)"),
        ("duckdb", "UNPIVOT t ON number INTO NAME kind VALUE value"),
        ("duckdb", "WITH p AS (PIVOT t ON name USING SUM(number)) FROM p"),
    ],
)
def test_every_query_of_a_dialect_is_one(dialect: Any, answer: str) -> None:
    context = "CREATE TABLE t (name TEXT, number INTEGER); CREATE VIEW v AS SELECT name FROM t"
    example = TextToSql(dialect=dialect).read_row(row("t", context=context, answer=answer))
    assert example.fields["answer"] == answer
    assert example.shares == ("t",)


@pytest.mark.parametrize(("dialect", "answer"), [("sqlite", "FROM t"), ("mysql", "PIVOT t ON a USING SUM(b)")])
def test_a_query_of_another_dialect_is_none(dialect: Any, answer: str) -> None:
    with pytest.raises(BadRow, match="answer is not a query"):
        TextToSql(dialect=dialect).read_row(row("t", answer=answer))


def test_tables_of_a_pivot_are_looked_for_too() -> None:
    with pytest.raises(BadRow, match="table not in the context: people"):
        TextToSql(dialect="duckdb").read_row(row("t", answer="PIVOT people ON name USING SUM(number)"))


def test_the_parser_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    context = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (name TEXT, number INTEGER)"
    TextToSql(dialect="postgres").read_row(row("t", context=context))
    assert capfd.readouterr() == ("", "")


def test_the_dialect_decides_what_parses() -> None:
    backticks = row("t", context="CREATE TABLE `t` (`name` TEXT)", answer="SELECT `name` FROM `t`")
    assert TextToSql(dialect="mysql").read_row(backticks).shares == ("t",)
    with pytest.raises(BadRow, match="does not parse"):
        TextToSql(dialect="postgres").read_row(backticks)


def test_columns_of_other_names_and_braces_in_schemas() -> None:
    problem = TextToSql(question="q", context="schema", answer="sql", instruction="Schema {context} {x}")
    example = problem.read_row({"q": "Q?", "schema": "CREATE TABLE t (a TEXT DEFAULT '{}')", "sql": "SELECT a FROM t"})
    assert example.prompt[0] == {"role": "system", "content": "Schema CREATE TABLE t (a TEXT DEFAULT '{}') {x}"}
    assert example.prompt[1] == {"role": "user", "content": "Q?"}
    assert example.completion == [{"role": "assistant", "content": "SELECT a FROM t"}]


def test_too_large_a_share_stops_the_run_and_names_the_reasons(tmp_path: Path) -> None:
    lines = [
        *sound_rows(),
        *[row("t", n, answer="SELECT FROM") for n in range(8)],
        b"{",
        row("u", 1),
        row("u", 1, answer="SELECT 2"),
    ]
    source = write_jsonl(tmp_path / "rows.jsonl", lines)
    with pytest.raises(DatasetError) as caught:
        build(source, tmp_path / "out", max_quarantined=0.05)
    message = str(caught.value)
    assert "11 of 111 rows are unusable (9.9%" in message
    assert "answer does not parse: 8 rows, first at rows.jsonl:101" in message
    assert "broken JSON: 1 rows, first at rows.jsonl:109" in message
    assert "conflicting answers: 2 rows, first at rows.jsonl:110" in message
    assert str(tmp_path / "out" / "quarantine.jsonl") in message
    assert len(quarantined(tmp_path / "out")) == 11
    assert not (tmp_path / "out" / "train.parquet").exists()
    build(source, tmp_path / "out", max_quarantined=0.1)


def test_the_quarantine_file_is_json_lines_whatever_the_rows_hold(tmp_path: Path) -> None:
    nasty = ["\ud800", "a\u2028b\x85c", '"\\', "\x00\x1f", "無極威"]
    lines = [row("t", question=text, answer=5) for text in nasty]
    build(write_jsonl(tmp_path / "rows.jsonl", [*lines, *sound_rows()]), tmp_path / "out")
    kept = [json.loads(line["row"])["question"] for line in quarantined(tmp_path / "out")]
    assert kept == nasty
