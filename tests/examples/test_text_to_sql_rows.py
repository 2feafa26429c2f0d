"""The text-to-SQL rows: they are what make_rows writes, and each one is sound, stated in full and not repeated."""

from __future__ import annotations

import importlib.util
import json
import re
import sqlite3
import sys
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
import sqlglot

from tests import ROOT

HERE = ROOT / "examples" / "text-to-sql"
MAX_CHARACTERS = 720
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
NUMBER_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "twice": 2, "half": 2}

Row = dict[str, str]


def load(name: str) -> ModuleType:
    """A module of the example; its folder has a hyphen, so it cannot be imported by name."""
    module_name = f"text_to_sql_{name}"
    spec = importlib.util.spec_from_file_location(module_name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


make_rows = load("make_rows")
shapes = load("shapes")
ROWS: list[Row] = [json.loads(line) for line in (HERE / "rows.jsonl").read_text(encoding="utf-8").splitlines()]


def by_context() -> dict[str, list[Row]]:
    """The rows of each schema."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in ROWS:
        groups[row["context"]].append(row)
    return groups


def is_stated(text: str, question: str) -> bool:
    """Whether a string literal of the query is in the question, as it is or as a month in words."""
    if text.startswith("%") and set(text) <= set("%Ymd-"):
        return True
    if text.strip("%") in question:
        return True
    match = re.fullmatch(r"(?:(\d{4})-)?(\d\d)", text)
    if match is None or not 1 <= int(match[2]) <= 12:
        return False
    return " ".join(filter(None, (MONTHS[int(match[2]) - 1], match[1]))) in question


def number_is_stated(number: str, question: str) -> bool:
    """Whether a number of the query is in the question, in figures or as a word."""
    if re.search(rf"(?<![\w.]){re.escape(number)}(?!\w)", question):
        return True
    words = [word for word, value in NUMBER_WORDS.items() if float(number) == value]
    return any(re.search(rf"\b{word}\b", question, re.IGNORECASE) for word in words)


def missing_literals(row: Row) -> list[str]:
    """The literals of the query that the question does not state; LIMIT 1 and SELECT 1 need no statement."""
    question, answer = row["question"], row["answer"]
    texts = [text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", answer)]
    missing = [text for text in texts if not is_stated(text, question)]
    bare = re.sub(r"'(?:[^']|'')*'", "''", answer)
    bare = re.sub(r"LIMIT 1$|SELECT 1\b", "", bare)
    numbers = re.findall(r"(?<![\w.])\d+(?:\.\d+)?", bare)
    return missing + [number for number in numbers if not number_is_stated(number, question)]


def test_rows_are_what_make_rows_writes() -> None:
    """Nobody edits the rows by hand: the schema files are the source."""
    assert (HERE / "rows.jsonl").read_bytes() == make_rows.render().encode()


def test_easy_rows_are_the_easy_ones_with_the_table_they_ask() -> None:
    text = (HERE / "easy.jsonl").read_text(encoding="utf-8")
    assert text == make_rows.render(make_rows.Schema.easy_rows)
    easy = [json.loads(line) for line in text.splitlines()]
    full = {row["question"]: row for row in ROWS if shapes.level_of(row["answer"]) == "easy"}
    assert {row["question"] for row in easy} == set(full)
    for row in easy:
        assert row["context"] in full[row["question"]]["context"]
        with closing(sqlite3.connect(":memory:")) as database:
            database.executescript(row["context"])
            database.execute(row["answer"])


def test_there_are_enough_rows_and_schemas() -> None:
    """Enough to train on, and to hold schemas out."""
    assert 1000 <= len(ROWS) <= 1100
    groups = by_context()
    assert len(groups) >= 44
    assert all(20 <= len(rows) <= 26 for rows in groups.values())


def test_rows_have_exactly_the_three_fields() -> None:
    """Each value is a string of one line without spaces to spare."""
    for row in ROWS:
        assert list(row) == ["question", "context", "answer"]
        assert all(value == " ".join(value.split()) and value for value in row.values())
        assert not row["answer"].endswith(";")
        assert not row["context"].endswith(";")
        assert row["question"][0].isupper()
        assert row["question"][-1] in ".?"


def test_rows_are_short() -> None:
    """A row fits a short training sequence."""
    assert max(len(json.dumps(row, ensure_ascii=False)) for row in ROWS) <= MAX_CHARACTERS


def test_schemas_are_small_and_different() -> None:
    """One to three tables each, and no table appears in two schemas."""
    names: list[str] = []
    for context in by_context():
        tables = re.findall(r"CREATE TABLE (\w+)", context)
        assert 1 <= len(tables) <= 3
        names += tables
    shared = {name for name, count in Counter(names).items() if count > 1}
    assert not shared


def test_every_answer_runs_on_its_schema() -> None:
    """SQLite makes the tables and takes every query."""
    for context, rows in by_context().items():
        database = sqlite3.connect(":memory:")
        database.executescript(context)
        for row in rows:
            database.execute(row["answer"]).fetchall()
        database.close()


def test_every_answer_parses_with_sqlglot() -> None:
    """Each is one query."""
    for row in ROWS:
        assert len(sqlglot.parse(row["answer"], read="sqlite")) == 1


def test_every_literal_is_stated_in_the_question() -> None:
    """A model cannot guess a value that the question leaves out."""
    missing = {row["question"]: missing_literals(row) for row in ROWS}
    assert {question: literals for question, literals in missing.items() if literals} == {}


def test_nothing_is_repeated() -> None:
    """No question twice, and no query twice in one schema."""
    assert len({row["question"] for row in ROWS}) == len(ROWS)
    assert len({(row["context"], row["answer"]) for row in ROWS}) == len(ROWS)


def test_joins_follow_the_house_style() -> None:
    """Every join has its ON, the first column is of the first table, and a semicolon never occurs."""
    for row in ROWS:
        answer = row["answer"]
        assert answer.count(" JOIN ") == answer.count(" ON ")
        assert not re.search('[;"]|<>', answer)
        first = re.match(r"SELECT (?:DISTINCT )?(?:\w+\()*(\w+)\.\w+.*? FROM (\w+)", answer)
        if first and " AS " not in answer:
            assert first[1] == first[2], answer


def test_not_in_is_never_asked_of_a_column_that_may_be_null() -> None:
    """One NULL among the values of NOT IN (SELECT ...) would make every answer empty."""
    for row in ROWS:
        for column, table in re.findall(r"NOT IN \(SELECT (\w+) FROM (\w+)\)", row["answer"]):
            assert re.search(rf"CREATE TABLE {table} \([^;]*\b{column} \w+ NOT NULL", row["context"]), row["answer"]


@pytest.mark.parametrize("shape", list(shapes.SHAPES))
def test_every_shape_occurs(shape: str) -> None:
    """No shape that the README lists is left to one or two rows."""
    assert sum(shape in shapes.shapes_of(row["answer"]) for row in ROWS) >= 5


def test_levels_are_spread_as_described() -> None:
    """About 45 % easy, 35 % medium and 20 % hard."""
    counts = Counter(shapes.level_of(row["answer"]) for row in ROWS)
    for level, share in {"easy": 0.45, "medium": 0.35, "hard": 0.20}.items():
        assert counts[level] / len(ROWS) == pytest.approx(share, abs=0.03)


def test_the_readme_quotes_the_measured_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """The tables of the README are what shapes.py prints."""
    shapes.main()
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    for line in capsys.readouterr().out.splitlines():
        assert line in readme


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE a (id INTEGER);\nSELECT id FROM a;\n",
        "CREATE TABLE a (id INTEGER);\n-- Which ids?\nSELECT id FROM a\n",
        "CREATE TABLE a (id INTEGER);\n-- Which ids?\n",
    ],
)
def test_a_malformed_schema_file_is_refused(tmp_path: Path, text: str) -> None:
    """A query without a question, one without its semicolon, and a question without a query."""
    path = tmp_path / "bad.sql"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.sql"):
        make_rows.read_schema(path)


def test_a_query_that_does_not_run_is_refused(tmp_path: Path) -> None:
    """The generator names the schema and the query."""
    path = tmp_path / "bad.sql"
    path.write_text("CREATE TABLE a (id INTEGER);\n-- Which names?\nSELECT name FROM a;\n", encoding="utf-8")
    with pytest.raises(ValueError, match="bad: no such column"):
        make_rows.check(make_rows.read_schema(path))
