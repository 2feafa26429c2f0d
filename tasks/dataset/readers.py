"""Reads the rows of one file, each with its line number.

The readers of `datasets` and pyarrow stop at the first broken line of a JSON lines or CSV file, and give no line
numbers. The readers here continue: a line that cannot be read becomes a row with a problem. They hold one row or batch
in memory at a time.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.problems.example import Reason

MAX_LINE = 2**20
"""Longest line of a JSON lines file in bytes."""
MAX_JSON = 64 * 2**20
"""Largest JSON file with an array, in bytes: the array has to be in memory as a whole."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row and its place in the source, or the reason why it cannot be read."""

    file: str
    line: int
    """Line of a JSON lines or CSV file, number of the row in other formats; from 1."""
    values: Mapping[str, object] | None
    problem: Reason | None = None
    raw: str = ""


def read_jsonl(path: Path, name: str) -> Iterator[SourceRow]:
    """One object on each line, in UTF-8. Blank lines are skipped."""
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), 1):
            if line.strip():
                yield _parse_line(line, name, number)


def read_json(path: Path, name: str) -> Iterator[SourceRow]:
    """An array of objects. A .json file that begins with an object is read as JSON lines.

    Raises:
        DatasetError: the array is larger than MAX_JSON, or is not JSON.
    """
    with path.open("rb") as file:
        opening = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if opening == b"{":
        yield from read_jsonl(path, name)
        return
    for number, values in enumerate(_read_array(path), 1):
        if isinstance(values, dict):
            yield SourceRow(name, number, values)
        else:
            yield SourceRow(name, number, None, Reason("not a JSON object"), json.dumps(values))


def read_csv(path: Path, name: str) -> Iterator[SourceRow]:
    """Comma-separated values in UTF-8 with a header line. Raises DatasetError without a header."""
    # Bytes that are not UTF-8 become lone surrogates, which the checks of the row name.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = _header(reader, path)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield SourceRow(name, line, None, Reason("broken CSV", str(error)))
                continue
            if len(cells) == len(header):
                yield SourceRow(name, line, dict(zip(header, cells, strict=True)))
            elif cells:
                problem = Reason("wrong number of cells", f"{len(cells)}, the header has {len(header)}")
                yield SourceRow(name, line, None, problem, ",".join(cells))


def read_parquet(path: Path, name: str) -> Iterator[SourceRow]:
    """The rows of a Parquet file. Raises DatasetError when it is not one, or is damaged."""
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for index in range(len(batch)):
                    number += 1
                    yield _parquet_row(batch, index, name, number)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: damaged after row {number:,}: {error}") from error


READERS: dict[str, Callable[[Path, str], Iterator[SourceRow]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
}


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file. Of a line longer than MAX_LINE only MAX_LINE + 1 bytes are kept, which show that it is."""
    while line := file.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 1)


def _parse_line(line: bytes, name: str, number: int) -> SourceRow:
    def broken(kind: str, detail: str = "") -> SourceRow:
        return SourceRow(name, number, None, Reason(kind, detail), line.decode("utf-8", "backslashreplace"))

    if len(line) > MAX_LINE:
        return broken("line too long", f"more than {MAX_LINE:,} bytes")
    try:
        values = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return broken("not UTF-8", f"{error.reason} at byte {error.start}")
    except (ValueError, RecursionError) as error:
        return broken("broken JSON", str(error))
    return SourceRow(name, number, values) if isinstance(values, dict) else broken("not a JSON object")


def _read_array(path: Path) -> list[Any]:
    remedy = "write the rows as JSON lines, one row on each line: jq -c '.[]' rows.json > rows.jsonl"
    if path.stat().st_size > MAX_JSON:
        raise DatasetError(f"{path}: a JSON array must fit into {MAX_JSON:,} bytes; {remedy}")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path}: not valid JSON: {error}. One broken row makes a whole array unreadable; {remedy}"
        ) from error
    if not isinstance(content, list):
        raise DatasetError(f"{path}: expected an array of rows, found {type(content).__name__}; {remedy}")
    return content


def _header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DatasetError(f"{path}: the header line cannot be read: {error}") from error
    if len(set(header)) != len(header) or not any(header):
        raise DatasetError(f"{path}: the first line must be a header that names each column once; it is {header}")
    return header


def _parquet_row(batch: pa.RecordBatch, index: int, name: str, number: int) -> SourceRow:
    try:
        return SourceRow(name, number, batch.slice(index, 1).to_pylist()[0])
    except UnicodeDecodeError as error:
        return SourceRow(name, number, None, Reason("not UTF-8", f"{error.reason} at byte {error.start}"))
