"""Keeps a test set fixed while the training rows change: writes it out as a source of rows, and counts new rows."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finetune_flows.tasks.dataset.split import SPLITS

RowOf = Callable[[Mapping[str, str]], dict[str, object]]


def write_test_source(
    dataset: Path, row_of: RowOf, slice_column: str | None, file: Path, split_column: str | None = None
) -> None:
    """Writes the rows of `dataset`/test.parquet as JSON lines, in the form in which the recipe reads rows.

    The same test gives the same bytes. `row_of` makes a row from an example's fields.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".new")
    with pq.ParquetFile(dataset / "test.parquet") as rows, temporary.open("w", encoding="utf-8") as lines:
        for batch in rows.iter_batches(columns=["fields", "slice", "group"]):
            for row in batch.to_pylist():
                record = row_of(row["fields"])
                if slice_column:
                    record[slice_column] = row["slice"]
                if split_column:
                    record[split_column] = row["group"]
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
    temporary.replace(file)


def found_split(dataset: Path) -> str | None:
    """What `split_by: auto` split a data set by: query or question, or None where it was the schema."""
    audit = json.loads((dataset / "audit.json").read_text(encoding="utf-8"))
    found = audit["leakage"].get("split_by")
    return found if found in ("query", "question") else None


def count_new_rows(before: Path, after: Path) -> int:
    """How many training and validation rows of `after` are in no part of `before`. Ids are digests of the content."""
    known = pa.concat_arrays([chunk for split in SPLITS for chunk in _ids(before, split)])
    chunks = [chunk for split in ("train", "validation") for chunk in _ids(after, split)]
    return sum(len(chunk) - (pc.sum(pc.is_in(chunk, value_set=known)).as_py() or 0) for chunk in chunks)


def _ids(dataset: Path, split: str) -> list[pa.Array]:
    chunks: list[pa.Array] = pq.read_table(dataset / f"{split}.parquet", columns=["id"])["id"].chunks
    return chunks
