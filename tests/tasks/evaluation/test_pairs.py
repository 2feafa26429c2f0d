"""Pairs of queries from a file: how they are read, and what is said of each."""

import csv
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.evaluation.pairs import PairRow, PairVerdict, judge_pairs, read_pairs

SCHEMA = "CREATE TABLE parcels (id INTEGER PRIMARY KEY, town VARCHAR(30), weight DECIMAL(8,2), sent TIMESTAMP)"
GOLD = "SELECT town FROM parcels WHERE weight > 10"
CHAT = "Sure, here it is:\n\n```sql\nSELECT town\nFROM parcels\n\nWHERE 10 < weight -- the customer's limit\n```\nIt compares."
DIALECTS = ("sqlite", "duckdb", "postgres", "mysql")


def row(**fields: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "gold": GOLD, "prediction": GOLD} | fields


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in rows), "utf-8")
    return path


def judged(*rows: dict[str, Any], dialect: str = "sqlite") -> list[PairVerdict]:
    return list(judge_pairs([PairRow.model_validate({"dialect": dialect} | each) for each in rows], 5))


def test_every_format_gives_the_same_pairs(tmp_path: Path) -> None:
    rows = [row(model="m1"), row(prediction=CHAT, model="m2"), row(prediction="", model="m3")]
    with (tmp_path / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pairs.parquet")
    (tmp_path / "pairs.json").write_text(json.dumps(rows), encoding="utf-8")
    expected = read_pairs(lines(tmp_path / "pairs.jsonl", *rows), "duckdb")
    assert [pair.prediction for pair in expected] == [GOLD, CHAT, ""]
    assert {pair.dialect for pair in expected} == {"duckdb"}
    for suffix in ("csv", "parquet", "json"):
        assert read_pairs(tmp_path / f"pairs.{suffix}", "duckdb") == expected


def test_columns_have_two_names_and_a_missing_answer_is_an_empty_one(tmp_path: Path) -> None:
    given = {"context": SCHEMA, "answer": GOLD, "prediction": None, "dialect": "PostgreSQL", "schema": None}
    (pair,) = read_pairs(lines(tmp_path / "pairs.jsonl", given), "sqlite")
    assert (pair.context, pair.gold, pair.prediction, pair.dialect) == (SCHEMA, GOLD, "", "postgres")


def test_the_url_of_a_database_says_its_dialect(tmp_path: Path) -> None:
    urls = {"mariadb://reader@host/shop": "mysql", "postgresql://reader@host/shop": "postgres", "shop.db": "duckdb"}
    rows = [{"db": url, "gold": GOLD, "prediction": GOLD} for url in urls]
    assert [pair.dialect for pair in read_pairs(lines(tmp_path / "p.jsonl", *rows), "duckdb")] == [*urls.values()]


def test_unusable_rows_are_all_named_with_their_lines(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "pairs.jsonl",
        row(),
        "{broken",
        "[1]",
        {"gold": GOLD, "prediction": GOLD},
        {"schema": SCHEMA, "gold": GOLD},
        row(dialect="oracle"),
        row(gold=""),
        row(prediction=7),
        {"db": "oracle://host/shop", "gold": GOLD, "prediction": GOLD},
    )
    with pytest.raises(DatasetError) as caught:
        read_pairs(file, "sqlite")
    first, *problems = str(caught.value).splitlines()
    assert "nothing was judged" in first
    expected = (
        "line 2: broken JSON", "line 3: not a JSON object", "line 4: give a schema", "line 5: prediction: missing",
        "line 6: dialect: 'oracle' is none of sqlite, duckdb, postgres, mysql", "line 7: gold: empty",
        "line 8: prediction: not text", "line 9: db: the URL must begin with",
    )  # fmt: skip
    assert len(problems) == len(expected)
    for problem, words in zip(problems, expected, strict=True):
        assert words in problem


def test_a_long_list_of_problems_is_cut(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="and 5 more"):
        read_pairs(lines(tmp_path / "pairs.jsonl", *[row(gold="")] * 25), "sqlite")


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(text)
    with pytest.raises(DatasetError, match="holds no rows"):
        read_pairs(file, "sqlite")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_gives_all_four_verdicts(dialect: str) -> None:
    verdicts = judged(
        row(prediction=CHAT),
        row(prediction="SELECT town FROM parcels WHERE weight >= 10"),
        row(prediction="SELECT city FROM parcels"),
        row(prediction="I do not know that."),
        row(gold="SELECT town FROM parcels LIMIT 2", prediction=GOLD),
        row(schema="a table of parcels"),
        dialect=dialect,
    )
    expected = ["right", "wrong", "invalid", "invalid", "not_evaluable", "not_evaluable"]
    assert [verdict.verdict for verdict in verdicts] == expected
    right, wrong, invalid, prose, arbitrary, unreadable = verdicts
    assert right.reason.startswith("returns the gold's rows on 5 made-up databases")
    assert wrong.kind == "wrong operator"
    assert wrong.differences == [{"kind": "wrong operator", "gold": "weight > 10", "prediction": "weight >= 10"}]
    assert wrong.rows is not None
    assert wrong.rows["gold"] != wrong.rows["prediction"]
    assert "city" in invalid.reason
    assert (prose.kind, prose.reason.partition(" (")[0]) == ("no query", "the answer holds no query")
    assert arbitrary.reason == "the gold's rows depend on the order in which rows are stored"
    assert unreadable.kind == "not evaluable: schema unreadable"


@pytest.mark.parametrize(
    ("gold", "prediction", "reason"),
    [
        (GOLD, "SELECT town FROM parcels", r"returns \d+ rows, the gold \d+ rows?"),
        ("SELECT COUNT(*) FROM parcels", "SELECT COUNT(town) FROM parcels", r"returns \(\d+\), the gold \(\d+\)"),
        (f"{GOLD} ORDER BY id", f"{GOLD} ORDER BY id DESC", "returns the gold.s rows in another order"),
        ("SELECT UPPER(town) FROM parcels", "SELECT LOWER(town) FROM parcels", r"returns \('.*'\), the gold \('.*'\)"),
    ],
)
def test_a_reason_says_what_both_return(gold: str, prediction: str, reason: str) -> None:
    (verdict,) = judged(row(gold=gold, prediction=prediction))
    assert verdict.verdict == "wrong"
    assert re.fullmatch(reason, verdict.reason), verdict.reason


def test_a_database_of_ones_own_decides_instead_of_made_up_rows(tmp_path: Path) -> None:
    statements = (SCHEMA, "INSERT INTO parcels VALUES (1, 'Riga', 5, NULL), (2, 'Oslo', 20, NULL)")
    with sqlite3.connect(tmp_path / "shop.db") as lite:
        for statement in statements:
            lite.execute(statement)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as duck:
        for statement in statements:
            duck.execute(statement)
    for name, dialect in (("shop.db", "sqlite"), ("shop.duckdb", "duckdb")):
        same, other, absent = judged(
            {"db": str(tmp_path / name), "gold": GOLD, "prediction": "SELECT town FROM parcels WHERE weight >= 10"},
            {"db": str(tmp_path / name), "gold": GOLD, "prediction": "SELECT town FROM parcels"},
            {"db": str(tmp_path / "nothing.db"), "gold": GOLD, "prediction": GOLD},
            dialect=dialect,
        )
        assert (same.verdict, same.reason) == ("right", "returns the gold's rows on the database")
        assert other.verdict == "wrong"
        assert (absent.verdict, absent.kind) == ("not_evaluable", "not evaluable: no database")
        assert "nothing.db" in absent.reason


def test_a_query_in_another_dialect_than_the_database_is_translated_and_says_so(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as lite:
        lite.execute(SCHEMA)
        lite.execute("INSERT INTO parcels VALUES (1, 'Riga', 5, NULL)")
    query = "SELECT id::TEXT FROM parcels"
    (verdict,) = judged({"db": str(tmp_path / "shop.db"), "gold": query, "prediction": query}, dialect="postgres")
    assert verdict.verdict == "right"
    assert "translated from postgres to sqlite" in verdict.reason


BROKEN = {
    "unknown column": "SELECT city FROM parcels",
    "unknown table": "SELECT town FROM letters",
    "ambiguous column": "SELECT town FROM parcels a, parcels b",
    "unknown function": "SELECT upside_down(town) FROM parcels",
    "does not parse": "SELECT town FROM parcels WHERE (",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_wrong_with_a_query_has_one_name_whatever_its_engine_says(dialect: str) -> None:
    verdicts = judged(*(row(prediction=query) for query in BROKEN.values()), dialect=dialect)
    assert [verdict.verdict for verdict in verdicts] == ["invalid"] * len(BROKEN)
    assert [verdict.kind for verdict in verdicts] == list(BROKEN)
