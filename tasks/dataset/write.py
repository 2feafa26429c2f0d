"""The files of a prepared data set."""

import json
import sqlite3
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from finetune_flows.tasks.dataset.check import CheckedRow, bounded
from finetune_flows.tasks.dataset.split import Split
from finetune_flows.tasks.problems.contract import Problem

ROW_GROUP = 4096

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def write_split(db: sqlite3.Connection, split: Split, problem: Problem, path: Path) -> int:
    """Writes the rows of a split in their seeded order and returns their number. The same rows give the same bytes."""
    cursor = db.execute(
        """SELECT id, fields, slice, name, tokens FROM rows JOIN texts USING (n) JOIN groups USING (g)
           WHERE rows.split = ? ORDER BY rows.draw""",
        [split],
    )
    written, schema = 0, _schema(problem)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while records := [_record(row, problem) for row in islice(cursor, ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(records, schema=schema))
            written += len(records)
    return written


def _schema(problem: Problem) -> pa.Schema:
    return pa.schema(
        [
            ("id", pa.string()),
            ("prompt", _MESSAGES),
            ("completion", _MESSAGES),
            ("fields", pa.struct([(name, pa.string()) for name in problem.columns()])),
            ("slice", pa.string()),
            ("group", pa.string()),
            ("tokens", pa.int32()),
            *([("chat", pa.string())] if problem.converses else []),
        ]
    )


def write_bad_rows(file: TextIO, rows: Iterable[CheckedRow]) -> None:
    """Writes a line for each row without an example: its file and line, all its reasons, the beginning of its text."""
    for row in rows:
        reasons = [reason._asdict() for reason in row.reasons]
        _write_line(file, {"file": row.file, "line": row.line, "reasons": reasons, "row": row.raw})


def write_losers(file: TextIO, db: sqlite3.Connection) -> None:
    """Writes a line for each sound row that lost to another row, and names that row. Rows not drawn are not listed."""
    cursor = db.execute("""
        SELECT rows.file, rows.line, rows.fate, twin.file, twin.line, fields
        FROM rows JOIN texts USING (n) LEFT JOIN rows AS twin ON twin.n = rows.twin
        WHERE rows.fate <> 'not drawn' ORDER BY rows.n
    """)
    for name, line, fate, twin_file, twin_line, fields in cursor:
        reason = {"kind": fate, "detail": f"see {twin_file}:{twin_line}" if twin_file else ""}
        _write_line(file, {"file": name, "line": line, "reasons": [reason], "row": bounded(fields)})


def _write_line(file: TextIO, record: dict[str, Any]) -> None:
    # ASCII, because the text of a bad row may not be valid Unicode.
    file.write(json.dumps(record) + "\n")


def _record(row: tuple[Any, ...], problem: Problem) -> dict[str, Any]:
    id_, fields, slice_, group, tokens = row
    texts = json.loads(fields)
    prompt, completion = problem.messages(texts)
    # Messages hold tool calls and flags as well; Parquet's hold two texts, and `chat` everything as JSON where there is more.
    whole = problem.conversation(texts)
    return {
        "chat": json.dumps(whole, ensure_ascii=False) if whole else None,
        "id": id_, "prompt": prompt, "completion": completion, "fields": texts,
        "slice": slice_, "group": group, "tokens": tokens,
    }  # fmt: skip
