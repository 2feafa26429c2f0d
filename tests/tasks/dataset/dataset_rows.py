"""Rows, files and sections that the tests of the data set share."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from finetune_flows.tasks.sections.stages import DatasetSection

SPLITS = ("train", "validation", "test")
SQLITE = TextToSql()


def row(table: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    """A sound row about a table; other numbers are other questions."""
    return {
        "question": f"Who has the number {number}?",
        "context": f"CREATE TABLE {table} (name TEXT, number INTEGER)",
        "answer": f"SELECT name FROM {table} WHERE number = {number}",
        **changes,
    }


def sound_rows(tables: int = 20, each: int = 5) -> list[dict[str, Any]]:
    """Rows about tables that have nothing to do with one another."""
    return [row(f"table_{table}", number) for table in range(tables) for number in range(each)]


def write_jsonl(path: Path, rows: Iterable[dict[str, Any] | bytes]) -> Path:
    """Rows as JSON lines; bytes are written as they are."""
    lines = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def build(
    source: Path, out: Path, problem: TextToSql = SQLITE, tokenizer: Path | None = None, **section: Any
) -> DatasetAudit:
    """The data set of a source, by default with any share of bad rows."""
    section = {"max_quarantined": 1, **section}
    return build_dataset(DatasetSection(source=str(source), **section), problem, tokenizer, out)


def read_split(out: Path, split: str) -> list[dict[str, Any]]:
    """The rows of a finished split, in their order."""
    rows: list[dict[str, Any]] = pq.read_table(out / f"{split}.parquet").to_pylist()
    return rows


def read_all(out: Path) -> dict[str, list[dict[str, Any]]]:
    """All splits."""
    return {split: read_split(out, split) for split in SPLITS}


def quarantined(out: Path) -> list[dict[str, Any]]:
    """The lines of the quarantine file."""
    with (out / "quarantine.jsonl").open() as file:
        return [json.loads(line) for line in file]


def kinds_by_place(out: Path) -> dict[tuple[str, int], set[str]]:
    """The kinds of reasons for which each row is left out, by its file and line."""
    return {(line["file"], line["line"]): {reason["kind"] for reason in line["reasons"]} for line in quarantined(out)}
