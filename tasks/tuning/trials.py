"""One training of a search, as it is told to people and kept with the result."""

from typing import Any, Literal

from pydantic import Field

from finetune_flows.tasks.base.statistics import Proportion
from finetune_flows.tasks.base.values import Frozen

Setting = int | float | str
Ending = Literal["completed", "stopped early", "failed", "unfinished"]


class TrialFacts(Frozen):
    """One training: with what settings, and what came of it."""

    number: int
    settings: dict[str, Setting] = Field(description="By field of the training section.")
    ending: Ending
    value: float | None = Field(description="What was compared; of one that was stopped early, its last.")
    hours: float = Field(description="Of the training job, the wait for a machine included.")
    why: str = Field("", description="Of a failed one.")


class Tuned(Frozen):
    """What a search found."""

    recipe: str
    metric: str = Field(description="What was compared: a score on the validation rows. The test is never asked.")
    higher_is_better: bool
    validation_rows: int
    trials: list[TrialFacts]
    best: TrialFacts | None = Field(description="None when no training came to its end.")
    interval: Proportion | None = Field(None, description="Of the best one's accuracy, 95 %, by Wilson.")
    hours: float = Field(description="Of all training jobs together.")
    left_out: str = Field("", description="Why there are fewer trials than were asked for.")
    best_recipe: str | None = Field(None, description="File that `finetune run` takes.")
    report: str | None = Field(None, description="File of the report; None when it could not be written.")


def short(value: Any) -> str:
    """A setting or a score in a table."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
