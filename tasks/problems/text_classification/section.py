"""The section of a recipe whose model learns to put labels on texts."""

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from finetune_flows.tasks.problems.section import ProblemSection
from finetune_flows.tasks.sections.section import Section


class ClassificationJudging(Section):
    """How labels are judged."""

    model_config = ConfigDict(title="Label judging")

    calibration_bins: int = Field(
        10, ge=2, le=100, description="Equal steps of confidence in which the expected calibration error is taken."
    )


class TextClassification(ProblemSection):
    """A text in, one label or several out."""

    model_config = ConfigDict(title="Text classification")
    metrics: ClassVar = ("accuracy",)
    estimates: ClassVar = tuple(
        f"{average}_{part}" for average in ("macro", "micro", "weighted") for part in ("precision", "recall", "f1")
    )
    generates: ClassVar = False

    kind: Literal["text-classification"] = Field(
        "text-classification", description="A text in, one label or several out."
    )
    text: str = Field("text", description="Column that holds the text.")
    label: str = Field(
        "label", description="Column that holds the label: text, whole number or true/false; of multi_label a list."
    )
    multi_label: bool = Field(False, description="A text may have several labels, or none.")
    separator: str = Field(
        ",", min_length=1, description="Of multi_label, between labels where the column holds text instead of a list."
    )
    labels: tuple[str, ...] = Field(
        (), description="All labels; rows with others are quarantined. Default: those that the rows have."
    )
    label_names: dict[str, str] = Field(
        {}, description="What the labels of the rows are called in the model, such as {0: negative, 1: positive}."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: in the loss, rare labels count for more, by the inverse of their frequency."
    )
    thresholds: Literal["none", "best_f1"] = Field(
        "none",
        description="none: the most probable label, of multi_label those from 0.5. best_f1: of two labels, and of each of "
        "multi_label, the threshold with the highest F1 on the validation rows.",
    )
    judging: ClassificationJudging = Field(
        default_factory=ClassificationJudging, description="How the answers are judged."
    )

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The text."""
        return (self.text,)
