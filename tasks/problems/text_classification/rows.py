"""Text classification: the labels of rows, and the labels to learn."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.problems.example import BadRow, Reason, columns_of, normalise
from finetune_flows.tasks.problems.text_classification.labels import (
    ClassName,
    is_marked,
    listed,
    plain_form,
    renamed,
    text_of,
)


@dataclass(frozen=True)
class LabelColumn:
    """The column with the label of a row, or with several labels if there is a separator; or columns of 0 and 1."""

    name: str
    separator: str | None = None
    one_hot: tuple[str, ...] = ()
    """Columns that each are named like a label and hold 1 where a row has it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return self.one_hot or (self.name,)

    def read(self, row: Mapping[str, object], permitted: Collection[str], names: Mapping[str, str]) -> list[str]:
        """The labels of a row, sorted, renamed by `names`. If `permitted` is empty, all are permitted. Raises BadRow."""
        if missing := [name for name in self.columns if name not in row]:
            raise BadRow([Reason("missing column", f"{', '.join(missing)}; {columns_of(row)}"[:200])])
        labels = [_renamed(label, names, permitted) for label in self._texts(row)]
        if unknown := [label for label in labels if permitted and label not in permitted]:
            raise BadRow([Reason("unknown label", ", ".join(unknown)[:80])])
        return sorted(set(labels))

    def _texts(self, row: Mapping[str, object]) -> list[str]:
        if self.one_hot:
            marked = [name for name in self.one_hot if is_marked(row[name], name)]
            if self.separator is None and len(marked) != 1:
                found = ", ".join(marked) or "none"
                raise BadRow([Reason("not one label", f"{found} of the columns {', '.join(self.one_hot)}"[:200])])
            return marked
        value = row[self.name]
        if self.separator is None:
            return [_text(value, self.name)]
        return [_text(each, self.name) for each in listed(value, self.separator, self.name)]


def _text(value: object, column: str) -> str:
    return value if isinstance(value, ClassName) else text_of(value, column)


def _renamed(label: str, names: Mapping[str, str], permitted: Collection[str]) -> str:
    """The label as the recipe names it, or as it lists it: 1.0 is the label 1 there."""
    name = renamed(label, names)
    if name is not None:
        return name
    if label in permitted or not permitted:
        return str(label)
    return {plain_form(each): each for each in permitted}.get(plain_form(label), str(label))


def labels_to_learn(train: Path, named: Sequence[str], multi_label: bool) -> list[str]:
    """The labels that the recipe names, or those of all rows. `train`: train.parquet, with the other splits next to it.

    Raises:
        DatasetError: there is only one label to learn, or a label that no training row has.
    """
    found = {split: {*count_labels(train.with_name(f"{split}.parquet"))} for split in ("train", "validation", "test")}
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


def label_notes(train: Path, names: Mapping[str, str]) -> Iterator[str]:
    """What to look at in the labels of all rows: names that no row uses, labels without a name, and likely misspellings."""
    counts: Counter[str] = Counter()
    for split in ("train", "validation", "test"):
        counts += count_labels(train.with_name(f"{split}.parquet"))
    if unused := sorted({*names.values()} - {*counts}):
        yield f"problem.label_names: no row has the label {', '.join(unused)}."
    if names and (unnamed := sorted({*counts} - {*names.values()})):
        yield f"problem.label_names gives no name to the label {', '.join(unnamed[:20])}."
    alike: dict[str, list[str]] = {}
    for label in counts:
        alike.setdefault(plain_form(normalise(label)), []).append(label)
    for spellings in alike.values():
        if len(spellings) > 1:
            shown = ", ".join(f"{label} ({counts[label]:,} rows)" for label in sorted(spellings))
            yield f"These labels may be one: {shown}. problem.label_names makes them one."


def count_labels(path: Path) -> Counter[str]:
    """How many rows of a split have each label."""
    import pyarrow.parquet as pq  # imported here, so that the worker processes that check rows start faster

    found: Counter[str] = Counter()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["fields.labels"]):
            for fields in batch.column("fields").to_pylist():
                found.update(json.loads(fields["labels"]))
    return found
