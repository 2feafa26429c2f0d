"""Text classification: the labels of rows, and the labels to learn."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.problems.example import BadRow, Reason


@dataclass(frozen=True)
class LabelColumn:
    """The column with the label of a row, or with several labels if there is a separator."""

    name: str
    separator: str | None = None

    def read(self, row: Mapping[str, object], permitted: Collection[str], names: Mapping[str, str]) -> list[str]:
        """The labels of a row, sorted, renamed by `names`. If `permitted` is empty, all are permitted. Raises BadRow."""
        if self.name not in row:
            raise BadRow([Reason("missing column", f"{self.name}; the row has {', '.join(map(str, row))}"[:200])])
        labels = [names.get(each, each) for each in self._texts(row[self.name])]
        if unknown := [label for label in labels if permitted and label not in permitted]:
            raise BadRow([Reason("unknown label", ", ".join(unknown)[:80])])
        return sorted(set(labels))

    def _texts(self, value: object) -> list[str]:
        if self.separator is None:
            return [self._text(value)]
        several = value.split(self.separator) if isinstance(value, str) else value
        if not isinstance(several, list | tuple):
            raise BadRow([Reason("not a list of labels", f"{self.name} is {type(value).__name__}")])
        return [self._text(each) for each in several if each not in ("", None)]

    def _text(self, value: object) -> str:
        if value is None or (isinstance(value, str) and not value.strip()):
            raise BadRow([Reason("empty", self.name)])
        if (
            isinstance(value, float) and value.is_integer()
        ):  # CSV and pandas turn a column of integers with gaps into floats
            value = int(value)
        if not isinstance(value, str | int):
            raise BadRow([Reason("not a label", f"{self.name} is {type(value).__name__}")])
        return str(value).strip()


def labels_to_learn(train: Path, named: Sequence[str], multi_label: bool) -> list[str]:
    """The labels that the recipe names, or those of all rows. `train`: train.parquet, with the other splits next to it.

    Raises:
        DatasetError: there is only one label to learn, or a label that no training row has.
    """
    found = {split: _labels_in(train.with_name(f"{split}.parquet")) for split in ("train", "validation", "test")}
    labels = list(named) or sorted(set().union(*found.values()))
    if missing := [label for label in labels if label not in found["train"]]:
        raise DatasetError(
            f"no training row has the label {', '.join(missing)}: add rows with it, or remove it from the labels"
        )
    least = 1 if multi_label else 2
    if len(labels) < least:
        found_labels = ", ".join(labels) or "none"
        raise DatasetError(
            f"labels to learn: {found_labels}. The classifier needs {least} at least: add rows with others"
        )
    return labels


def _labels_in(path: Path) -> set[str]:
    import pyarrow.parquet as pq  # imported here, so that the worker processes that check rows start faster

    found: set[str] = set()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["fields.labels"]):
            for fields in batch.column("fields").to_pylist():
                found.update(json.loads(fields["labels"]))
    return found
