"""Reads the rows of one file, each with its line number.

The readers of `datasets` and pyarrow stop at the first broken line of a JSON lines or CSV file, and give no line
numbers. The readers here continue: a line that cannot be read becomes a row with a problem. They hold one row or batch
in memory at a time.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.columns import Classes, classes_of, has_structs, plain_values
from finetune_flows.tasks.problems.example import Reason, writable

MAX_LINE = 2**20
"""Longest line of a JSON lines file in bytes."""
MAX_JSON = 64 * 2**20
"""Largest JSON file with an array, in bytes: the array has to be in memory as a whole."""
_DELIMITERS = ",;\t|"
_SAMPLE = 2**16


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row and its place in the source, or the reason why it cannot be read."""

    file: str
    line: int
    """Line of a JSON lines or CSV file, number of the row in other formats; from 1."""
    values: Mapping[str, object] | None
    problem: Reason | None = None
    raw: str = ""


@dataclass(frozen=True)
class File:
    """A file of rows, here or elsewhere."""

    name: str
    """The name in reports."""
    place: str
    """Its full path or address."""
    open: Callable[[], BinaryIO]
    classes: Classes | None = None
    """Names of the classes of its columns, if something else than the file knows them."""


def read_jsonl(file: File) -> Iterator[SourceRow]:
    """One object on each line, in UTF-8. Blank lines are skipped."""
    with file.open() as stream:
        for number, line in enumerate(_lines(stream), 1):
            if line.strip():
                yield _parse_line(line, file.name, number)


def read_json(file: File) -> Iterator[SourceRow]:
    """An array of objects. A .json file that begins with an object is read as JSON lines.

    Raises:
        DatasetError: the array is larger than MAX_JSON, or is not JSON.
    """
    with file.open() as stream:
        opening = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if opening == b"{":
        yield from read_jsonl(file)
        return
    for number, values in enumerate(_read_array(file), 1):
        if isinstance(values, dict):
            yield SourceRow(file.name, number, values)
        else:
            yield SourceRow(file.name, number, None, Reason("not a JSON object"), json.dumps(values))


def read_csv(file: File, delimiter: str = "") -> Iterator[SourceRow]:
    """Separated values in UTF-8 with a header line; the delimiter is found in it. Raises DatasetError without a header."""
    delimiter = delimiter or _delimiter(file)
    # Bytes that are not UTF-8 become lone surrogates, which the checks of the row name.
    with file.open() as stream, io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.reader(text, strict=True, delimiter=delimiter)
        header = _header(reader, file)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield SourceRow(file.name, line, None, Reason("broken CSV", str(error)))
                continue
            if cells:
                yield _csv_row(cells, header, file.name, line, delimiter)


def read_tsv(file: File) -> Iterator[SourceRow]:
    """Values between tabs, as in `read_csv`."""
    return read_csv(file, "\t")


def read_parquet(file: File) -> Iterator[SourceRow]:
    """The rows of a Parquet file. Raises DatasetError when it is not one, or is damaged."""
    number = 0
    try:
        with file.open() as stream, pq.ParquetFile(stream) as parquet:
            schema = parquet.schema_arrow
            classes = file.classes or classes_in(schema)
            structs = has_structs(schema)
            for batch in parquet.iter_batches(batch_size=1024):
                for index in range(len(batch)):
                    number += 1
                    yield arrow_row(batch, index, file.name, number, classes, structs)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file.place}: damaged after row {number:,}: {error}") from error


READERS: dict[str, Callable[[File], Iterator[SourceRow]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def reader_of(name: str) -> Callable[[File], Iterator[SourceRow]] | None:
    """The reader of a file by its name; None for an unknown format."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes[-1:] and suffixes[-1] in COMPRESSIONS:
        suffixes = suffixes[:-1]
    return READERS.get(suffixes[-1]) if suffixes else None


def decompressed(stream: BinaryIO, name: str) -> BinaryIO:
    """The content of a file that may be compressed, by its name."""
    kind = COMPRESSIONS.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        return stream
    return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(stream), kind)))


def classes_in(schema: pa.Schema) -> Classes:
    """The names of classes that Hugging Face's library writes into the schema of a file."""
    try:
        written = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return classes_of(written.get("info", {}).get("features", {}))
    except (ValueError, AttributeError):
        return {}


def arrow_row(batch: pa.RecordBatch, index: int, name: str, number: int, classes: Classes, structs: bool) -> SourceRow:
    """One row of a batch, as row `number` of a file."""
    try:
        return SourceRow(name, number, plain_values(batch.slice(index, 1).to_pylist()[0], classes, structs))
    except UnicodeDecodeError as error:
        return SourceRow(name, number, None, Reason("not UTF-8", f"{error.reason} at byte {error.start}"))


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


def _read_array(file: File) -> list[Any]:
    remedy = "write the rows as JSON lines, one row on each line: jq -c '.[]' rows.json > rows.jsonl"
    with file.open() as stream:
        text = stream.read(MAX_JSON + 1)
    if len(text) > MAX_JSON:
        raise DatasetError(f"{file.place}: a JSON array must fit into {MAX_JSON:,} bytes; {remedy}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{file.place}: not valid JSON: {error}. One broken row makes a whole array unreadable; {remedy}"
        ) from error
    if not isinstance(content, list):
        raise DatasetError(f"{file.place}: expected an array of rows, found {type(content).__name__}; {remedy}")
    return content


def _delimiter(file: File) -> str:
    """The sign that splits the header into several cells, and most of the first rows into as many."""
    with file.open() as stream:
        sample = stream.read(_SAMPLE).decode("utf-8-sig", "replace")
    best, found = (0.0, 0), ","
    for delimiter in _DELIMITERS:
        rows = _sampled(sample, delimiter)
        if not rows or len(rows[0]) < 2:
            continue
        agreeing = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (agreeing, len(rows[0])) > best:
            best, found = (agreeing, len(rows[0])), delimiter
    return found


def _sampled(sample: str, delimiter: str) -> list[list[str]]:
    rows = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            rows.append(row)
    except csv.Error:
        pass
    # The sample may end inside its last row.
    return rows[:-1] if len(rows) > 1 and len(sample) >= _SAMPLE // 4 else rows


def _header(reader: Iterator[list[str]], file: File) -> list[str]:
    """The names of the columns. Nameless ones at the end, which spreadsheets leave, are not counted."""
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DatasetError(f"{file.place}: the header line cannot be read: {error}") from error
    named = len(header)
    while named and not header[named - 1].strip():
        named -= 1
    header = [name.strip() for name in header[:named]]
    if any("\0" in name or writable(name) != name for name in header):
        raise DatasetError(f"{file.place}: the header line is not text in UTF-8; save the file as CSV in UTF-8")
    if len(set(header)) != len(header) or not any(header):
        raise DatasetError(f"{file.place}: the first line must be a header that names each column once; it is {header}")
    return header


def _csv_row(cells: list[str], header: list[str], name: str, line: int, delimiter: str) -> SourceRow:
    more = [cell for cell in cells[len(header) :] if cell.strip()]
    if len(cells) >= len(header) and not more:
        return SourceRow(name, line, dict(zip(header, cells, strict=False)))
    problem = Reason("wrong number of cells", f"{len(cells)}, the header has {len(header)}")
    return SourceRow(name, line, None, problem, delimiter.join(cells))
