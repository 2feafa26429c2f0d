"""What a search records and reports about its trainings."""

from typing import Any, Literal

from pydantic import Field

from finetune_flows.tasks.base.statistics import Proportion
from finetune_flows.tasks.base.values import Frozen

Setting = int | float | str
Ending = Literal["completed", "stopped early", "failed", "unfinished"]


class TrialFacts(Frozen):
    """One training: its settings and its result."""

    number: int
    settings: dict[str, Setting] = Field(description="By field of the training section.")
    ending: Ending
    value: float | None = Field(description="The score; the last one for a training that was stopped early.")
    hours: float = Field(description="Hours of the training job, including the wait for a machine.")
    why: str = Field("", description="Why the training failed. Empty unless it failed.")


class Tuned(Frozen):
    """The result of a search."""

    recipe: str
    metric: str = Field(
        description="The score that was compared. It comes from the validation rows; a search never uses the test rows."
    )
    higher_is_better: bool
    validation_rows: int
    trials: list[TrialFacts]
    best: TrialFacts | None = Field(description="None when no training completed.")
    interval: Proportion | None = Field(None, description="95 % Wilson interval of the best accuracy.")
    hours: float = Field(description="Hours of all training jobs together.")
    left_out: str = Field("", description="Why there are fewer trials than the recipe asks for.")
    best_recipe: str | None = Field(None, description="Recipe file with the best settings, for `finetune run`.")
    report: str | None = Field(None, description="File of the report; None when it could not be written.")


def short(value: Any) -> str:
    """A setting or a score as text in a table."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
