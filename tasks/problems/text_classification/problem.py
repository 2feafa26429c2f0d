"""Text classification: a text in, one label or several out."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.endpoints.asking import Form, TestRow
from finetune_flows.tasks.problems.contract import AskedOnce, Judged, Progress
from finetune_flows.tasks.problems.example import BadRow, Example, Message, Reason, digest, normalise, read_texts
from finetune_flows.tasks.problems.text_classification.asking import LabelForm
from finetune_flows.tasks.problems.text_classification.baseline import linear_answers
from finetune_flows.tasks.problems.text_classification.section import TextClassification
from finetune_flows.tasks.problems.text_classification.verdicts import judge_labels


@dataclass(frozen=True)
class TextClassificationProblem(AskedOnce):
    """The problem as the stages know it."""

    section: TextClassification
    apart: str = "texts"
    base: str = "linear baseline"
    example: str = '"It was better than I had hoped."'

    @property
    def form(self) -> Form:
        """All labels with their scores."""
        return LabelForm(self.section.multi_label)

    def columns(self) -> Collection[str]:
        """The text, and its labels as a JSON list."""
        return ("text", "labels")

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        """The example that a row holds.

        Raises:
            BadRow: text or label are missing, blank or of a wrong type; the label is none of the permitted ones.
        """
        texts, reasons = read_texts(row, {"text": self.section.text}, special_tokens)
        try:
            labels = self._labels(row)
        except BadRow as bad:
            reasons += bad.reasons
        if reasons:
            raise BadRow(reasons)
        fields = {"text": texts["text"], "labels": json.dumps(labels, ensure_ascii=False)}
        prompt, completion = self.messages(fields)
        asked = normalise(fields["text"])
        # Each text stands for itself: what training and test must not share is the text.
        return Example(
            digest(*fields.values()), prompt, completion, fields, asked, fields["labels"], (digest(asked)[:16],)
        )

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """Text and label, or a list of labels."""
        labels = json.loads(fields["labels"])
        return {
            self.section.text: fields["text"],
            self.section.label: labels if self.section.multi_label else labels[0],
        }

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """The text as a user's message, and one message for each label."""
        labels = json.loads(fields.get("labels") or "[]")
        said = [{"role": "assistant", "content": label} for label in labels]
        return [{"role": "user", "content": fields["text"]}], said

    def shortened(self, example: Example) -> Iterator[Example]:
        """None: what a text says may stand at its end."""
        return iter(())

    def task(self, train: Path) -> Mapping[str, Any]:
        """The labels, which are those of all rows unless the recipe names them.

        Raises:
            DatasetError: there is only one label to learn, or one that no training row has.
        """
        found = {split: _labels_in(train.with_name(f"{split}.parquet")) for split in ("train", "validation", "test")}
        labels = list(self.section.labels) or sorted(set().union(*found.values()))
        if missing := [label for label in labels if label not in found["train"]]:
            raise DatasetError(f"no training row has the label {', '.join(missing)}: give more rows, or leave it out")
        if len(labels) < (1 if self.section.multi_label else 2):
            raise DatasetError(f"the rows have {len(labels)} labels ({', '.join(labels)}): nothing is to be told apart")
        settings = self.section.model_dump(include={"multi_label", "class_weights", "thresholds"})
        return {"head": "classifier", "labels": labels, **settings}

    def check(self, rows: Sequence[TestRow]) -> None:
        """Nothing is needed beside rows and answers."""

    def base_answers(self, rows: Sequence[TestRow], dataset: Path) -> Mapping[str, str]:
        """What a linear model says, which learnt from the same training rows."""
        return linear_answers(dataset / "train.parquet", rows, self.section.multi_label)

    def judge(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Compares labels; see text_classification_scores.py."""
        labels = json.loads((dataset / "task.json").read_text(encoding="utf-8"))["labels"]
        judged = judge_labels(labels, self.section, rows, answers)
        if on_progress:
            on_progress(len(rows))
        return judged

    def judge_settings(self) -> dict[str, str | int | bool]:
        """Steps of the calibration, and who computes."""
        return {**self.section.judging.model_dump(), "scikit-learn": version("scikit-learn")}

    def _labels(self, row: Mapping[str, object]) -> list[str]:
        column = self.section.label
        if column not in row:
            raise BadRow([Reason("missing column", f"{column}; the row has {', '.join(map(str, row))}"[:200])])
        value = row[column]
        named = [self.section.label_names.get(each, each) for each in _texts_of(value, column, self.section)]
        if unknown := [label for label in named if self.section.labels and label not in self.section.labels]:
            raise BadRow([Reason("unknown label", ", ".join(unknown)[:80])])
        return sorted(set(named))


def _texts_of(value: object, column: str, section: TextClassification) -> list[str]:
    """The labels in a cell as they stand there. Raises BadRow."""
    if section.multi_label:
        several = value.split(section.separator) if isinstance(value, str) else value
        if not isinstance(several, list | tuple):
            raise BadRow([Reason("not a list of labels", f"{column} is {type(value).__name__}")])
        return [_text_of(each, column) for each in several if each not in ("", None)]
    return [_text_of(value, column)]


def _text_of(value: object, column: str) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise BadRow([Reason("empty", column)])
    if isinstance(value, float) and value.is_integer():  # what CSV and pandas make of a column of numbers with gaps
        value = int(value)
    if not isinstance(value, str | int):
        raise BadRow([Reason("not a label", f"{column} is {type(value).__name__}")])
    return str(value).strip()


def _labels_in(path: Path) -> set[str]:
    found: set[str] = set()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["fields.labels"]):
            for fields in batch.column("fields").to_pylist():
                found.update(json.loads(fields["labels"]))
    return found
