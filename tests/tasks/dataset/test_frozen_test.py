"""The test stays the same, row by row, whatever comes into the source."""

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.dataset.frozen import count_new_rows, write_test_source
from finetune_flows.tasks.endpoints.answers import digest_of_test
from finetune_flows.tasks.recipe import DatasetSection, TextToSql

COLUMNS = {"question": "asked", "context": "schema", "answer": "sql"}


def row_of(fields: Mapping[str, str]) -> dict[str, object]:
    return {column: fields[field] for field, column in COLUMNS.items()}


PROBLEM = TextToSql(question="asked", context="schema", answer="sql")
NAMES = [f"t{n}" for n in range(20)]


def row(table: str, column: int, joined: str = "") -> dict[str, str]:
    also = f"; CREATE TABLE {joined} (a1 INTEGER, a2 INTEGER)" if joined else ""
    return {
        "asked": f"What is a{column} of {table}{joined}?",
        "schema": f"CREATE TABLE {table} (a1 INTEGER, a2 INTEGER, a3 INTEGER){also}",
        "sql": f"SELECT a{column} FROM {table}",
    }


def build(folder: Path, rows: list[dict[str, str]], **section: object) -> tuple[Path, DatasetAudit]:
    folder.mkdir()
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in rows))
    settings = DatasetSection.model_validate({"source": str(source), "test_share": 0.3, **section})
    return folder / "out", build_dataset(settings, PROBLEM, None, folder / "out")


def ids(dataset: Path, split: str) -> list[str]:
    return list(pq.read_table(dataset / f"{split}.parquet")["id"].to_pylist())


def tables(dataset: Path, split: str) -> set[str]:
    contexts = [fields["context"] for fields in pq.read_table(dataset / f"{split}.parquet")["fields"].to_pylist()]
    return {name for name in [*NAMES, "fresh"] if any(f"TABLE {name} " in context for context in contexts)}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return build(tmp_path / "first", [row(name, column) for name in NAMES for column in (1, 2)])[0]


def test_new_rows_never_reach_the_test_nor_its_schemas_the_training(tmp_path: Path, first: Path) -> None:
    tested, trained = sorted(tables(first, "test")), sorted(tables(first, "train"))
    frozen = tmp_path / "frozen.jsonl"
    write_test_source(first, row_of, None, frozen)
    old = [row(name, column) for name in NAMES for column in (1, 2)]
    new = [
        row("fresh", 1),
        row(trained[0], 3),
        row(tested[0], 3),  # about a schema of the test
        row(trained[1], 3, joined=tested[1]),  # joins training and test
    ]
    again, audit = build(tmp_path / "again", old + new, test_source=str(frozen), test_groups_apart=True)
    assert ids(again, "test") == ids(first, "test")
    assert digest_of_test(again / "test.parquet") == digest_of_test(first / "test.parquet")
    assert tables(again, "train").isdisjoint(tested)
    assert tables(again, "validation").isdisjoint(tested)
    assert "fresh" in tables(again, "train") | tables(again, "validation")
    assert audit.leakage.shared_groups == 0
    assert audit.leakage.dropped_from_train == len(ids(first, "test")) + 2
    assert audit.rows == audit.usable + audit.quarantined + audit.leakage.dropped_from_train
    assert count_new_rows(first, again) == 2


def test_the_test_lives_on_when_the_source_holds_new_rows_only(tmp_path: Path, first: Path) -> None:
    frozen = tmp_path / "frozen.jsonl"
    write_test_source(first, row_of, None, frozen)
    fresh = [row(f"other{n}", 1) for n in range(6)]
    again, _ = build(tmp_path / "again", fresh, test_source=str(frozen), test_groups_apart=True, validation_share=0.2)
    assert ids(again, "test") == ids(first, "test")
    assert count_new_rows(first, again) == 6


def test_the_same_rows_are_no_new_rows(tmp_path: Path, first: Path) -> None:
    frozen = tmp_path / "frozen.jsonl"
    write_test_source(first, row_of, None, frozen)
    same = [row(name, column) for name in NAMES for column in (1, 2)]
    again, _ = build(tmp_path / "again", same, test_source=str(frozen), test_groups_apart=True)
    assert count_new_rows(first, again) == 0
