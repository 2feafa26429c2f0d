"""Text classification, rows to labels."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.problems.example import BadRow, Reason


@dataclass(frozen=True)
class LabelColumn:
    """The column of a row that holds its label; its labels, where there is a separator."""

    name: str
    separator: str | None = None

    def read(self, row: Mapping[str, object], permitted: Collection[str], names: Mapping[str, str]) -> list[str]:
        """The labels of a row, sorted, called by `names`. None is permitted: all are. Raises BadRow."""
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
        if isinstance(value, float) and value.is_integer():  # what CSV and pandas make of a column of numbers with gaps
            value = int(value)
        if not isinstance(value, str | int):
            raise BadRow([Reason("not a label", f"{self.name} is {type(value).__name__}")])
        return str(value).strip()


def labels_to_learn(train: Path, named: Sequence[str], multi_label: bool) -> list[str]:
    """The labels that the recipe names, or those of all rows. `train`: train.parquet, the other splits in its folder.

    Raises:
        DatasetError: there is only one label to learn, or one that no training row has.
    """
    found = {split: _labels_in(train.with_name(f"{split}.parquet")) for split in ("train", "validation", "test")}
    labels = list(named) or sorted(set().union(*found.values()))
    if missing := [label for label in labels if label not in found["train"]]:
        raise DatasetError(f"no training row has the label {', '.join(missing)}: give more rows, or leave it out")
    if len(labels) < (1 if multi_label else 2):
        raise DatasetError(f"the rows have {len(labels)} labels ({', '.join(labels)}): nothing is to be told apart")
    return labels


def _labels_in(path: Path) -> set[str]:
    import pyarrow.parquet as pq  # rows are read without it, in worker processes that start faster then

    found: set[str] = set()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["fields.labels"]):
            for fields in batch.column("fields").to_pylist():
                found.update(json.loads(fields["labels"]))
    return found
