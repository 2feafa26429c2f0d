"""Text classification: a text in, one label or several out."""

import json
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from finetune_flows.tasks.base.statistics import Statistic
from finetune_flows.tasks.endpoints.asking import Form, TestRow
from finetune_flows.tasks.problems.contract import Judged, Problem, Progress
from finetune_flows.tasks.problems.example import (
    BadRow,
    Example,
    Message,
    digest,
    normalise,
    read_texts,
    unused_columns,
)
from finetune_flows.tasks.problems.text_classification.asking import LabelForm
from finetune_flows.tasks.problems.text_classification.page import details_page
from finetune_flows.tasks.problems.text_classification.rows import LabelColumn, label_notes, labels_to_learn
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.sections.section import Section


class ClassificationJudging(Section):
    """How labels are judged."""

    model_config = ConfigDict(title="Label judging")

    calibration_bins: int = Field(
        10, ge=2, le=100, description="Number of equal confidence bins for the expected calibration error."
    )


def _as_text(value: object) -> object:
    """YAML reads 0 and true as a number and a truth value."""
    return str(value) if isinstance(value, int | float) else value


LabelText = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str)]


class TextClassification(Problem):
    """A text in, one label or several out."""

    model_config = ConfigDict(title="Text classification")
    later: ClassVar = frozenset({"label_columns"})
    metrics: ClassVar = ("accuracy",)
    estimates: ClassVar = tuple(
        f"{average}_{part}" for average in ("macro", "micro", "weighted") for part in ("precision", "recall", "f1")
    )
    generates: ClassVar = False
    apart: ClassVar = "texts"
    base: ClassVar = "linear baseline"
    example: ClassVar = '"It was better than I had hoped."'
    starter: ClassVar = "sentiment"
    caution: ClassVar = "It knows only its own labels and always chooses one, even for a text that fits none of them."

    kind: Literal["text-classification"] = Field(
        "text-classification", description="A text in, one label or several out."
    )
    text: str = Field("text", description="Column with the text.")
    label: str = Field(
        "label", description="Column with the label: text, integer or true/false. With multi_label: a list of them."
    )
    multi_label: bool = Field(False, description="Let a text have several labels, or none.")
    separator: str = Field(
        ",",
        min_length=1,
        description="With multi_label: separator of the labels, if the column holds text, not a list.",
    )
    label_columns: tuple[str, ...] = Field(
        (),
        description="Columns that hold 0 or 1, one for each label, which has the name of its column. Replaces problem.label.",
    )
    labels: tuple[LabelText, ...] = Field(
        (), description="Quarantine rows with other labels than these. Default: accept the labels that the rows have."
    )
    label_names: dict[LabelText, LabelText] = Field(
        {},
        description="Rename labels of the rows, for example {0: negative, 1: positive}. 0, 0.0 and false are one label.",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: weight each label in the loss by the inverse of its frequency."
    )
    thresholds: Literal["none", "best_f1"] = Field(
        "none",
        description="none: choose the most probable label; with multi_label, every label from 0.5. best_f1: use the "
        "threshold with the highest F1 on the validation rows, for two labels or for each label of multi_label.",
    )
    judging: ClassificationJudging = Field(
        default_factory=ClassificationJudging, description="How the answers are judged."
    )

    @property
    def intended_use(self) -> str:
        """Text in, labels out."""
        return "It reads a text and assigns one or more of the labels that it was trained with."

    def columns(self) -> Collection[str]:
        """The text, and its labels as a JSON list."""
        return ("text", "labels")

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        """The example that a row holds.

        Raises:
            BadRow: text or label are missing, blank or of a wrong type, or the label is not permitted.
        """
        texts, reasons = read_texts(row, {"text": self.text}, special_tokens)
        try:
            labels = self._label_column.read(row, self.labels, self.label_names)
        except BadRow as bad:
            reasons += bad.reasons
        if reasons:
            raise BadRow(reasons)
        fields = {"text": texts["text"], "labels": json.dumps(labels, ensure_ascii=False)}
        prompt, completion = self.messages(fields)
        asked = normalise(fields["text"])
        # Each text is its own group: training and test must not share a text.
        return Example(
            id=digest(*fields.values()),
            prompt=prompt,
            completion=completion,
            fields=fields,
            asked=asked,
            answered=fields["labels"],
            shares=(digest(asked)[:16],),
            unused=unused_columns(row, {self.text, *self._label_column.columns}),
        )

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """Text and label, or a list of labels."""
        labels = json.loads(fields["labels"])
        if self.label_columns:
            named = {name: self.label_names.get(name, name) for name in self.label_columns}
            return {self.text: fields["text"], **{name: int(named[name] in labels) for name in named}}
        return {self.text: fields["text"], self.label: labels if self.multi_label else labels[0]}

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """The text as a user's message, and one message for each label."""
        labels = json.loads(fields.get("labels") or "[]")
        said = [{"role": "assistant", "content": label} for label in labels]
        return [{"role": "user", "content": fields["text"]}], said

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The text."""
        return (self.text,)

    def task(self, train: Path) -> Mapping[str, Any]:
        """The labels, which are those of all rows unless the recipe names them.

        Raises:
            DatasetError: there is only one label to learn, or a label that no training row has.
        """
        settings = self.model_dump(include={"multi_label", "class_weights", "thresholds"})
        return {"head": "classifier", "labels": labels_to_learn(train, self.labels, self.multi_label), **settings}

    def notes(self, train: Path) -> list[str]:
        """What to look at in the labels."""
        return list(label_notes(train, self.label_names))

    @property
    def form(self) -> Form:
        """All labels with their scores."""
        return LabelForm(self.multi_label)

    def base_answers(self, rows: Sequence[TestRow], dataset: Path) -> Mapping[str, str]:
        """The answers of a linear model that is trained on the same training rows."""
        from finetune_flows.tasks.problems.text_classification.baseline import linear_answers

        return linear_answers(dataset / "train.parquet", rows, self.multi_label)

    def judge_answers(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Compares labels; see verdicts.py."""
        from finetune_flows.tasks.problems.text_classification.verdicts import LabelJudge

        labels = json.loads((dataset / "task.json").read_text(encoding="utf-8"))["labels"]
        judged = LabelJudge(labels, self.multi_label, self.judging.calibration_bins).judge(rows, answers)
        if on_progress:
            on_progress(len(rows))
        return judged

    def judge_settings(self) -> dict[str, str | int | bool]:
        """Bins of the calibration, and the version of scikit-learn."""
        return {**self.judging.model_dump(), "scikit-learn": version("scikit-learn")}

    def statistic(self, name: str, verdicts: Sequence[Verdict], details: Mapping[str, Any]) -> Statistic:
        """Precision, recall or F1, averaged over the labels that the model was trained with."""
        from finetune_flows.tasks.problems.text_classification.measures import averaged

        pairs = [verdict.labels or {} for verdict in verdicts]
        right, chosen = ([pair[side] for pair in pairs] for side in ("right", "chosen"))
        return averaged(name, details["labels"], right, chosen)

    def details_page(self, details: Mapping[str, Any]) -> list[str]:
        """Scores by label, the confusion matrix, and calibration."""
        return details_page(details)

    @property
    def _label_column(self) -> LabelColumn:
        return LabelColumn(self.label, self.separator if self.multi_label else None, self.label_columns)
