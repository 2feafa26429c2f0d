"""What `finetune tune` may change of the training section, and how much it may spend on finding out."""

from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from finetune_flows.tasks.sections.section import Section, rule
from finetune_flows.training.settings import TrainingSettings

# Not how well is trained, but what counts as well, where it is trained, and what becomes of it.
_NOT_SEARCHED = {
    *("seed", "best_by", "keep", "patience", "validation_every", "checkpoint_every", "merge"),
    *("processes", "sharding", "trust_remote_code", "max_length", "report_to"),
}


class SearchRange(Section):
    """Values that one setting may take: between two bounds, or one of a list."""

    low: float | None = Field(None, description="Least value.")
    high: float | None = Field(None, description="Highest value. The setting is whole when both bounds are.")
    log: bool = Field(False, description="Search by orders of magnitude, as for a learning rate.")
    choices: tuple[int | float | str, ...] = Field((), description="Instead of bounds: the values themselves.")

    @rule
    def _is_a_range_or_a_list(self) -> Iterator[str]:
        if self.choices:
            if self.low is not None or self.high is not None or self.log:
                yield "has choices, and so no low, high or log"
        elif self.low is None or self.high is None:
            yield "needs low and high, or choices"
        elif not self.low < self.high:
            yield f"low ({self.low:g}) must be below high ({self.high:g})"
        elif self.log and self.low <= 0:
            yield "log needs a low above 0"

    @property
    def extremes(self) -> tuple[int | float | str, ...]:
        """The values that must be permitted, so that all between them are."""
        return self.choices or tuple(bound for bound in (self.low, self.high) if bound is not None)


class TuningSection(Section):
    """Search for better settings of the training section: `finetune tune`. A plain run ignores it."""

    model_config = ConfigDict(title="Tuning")

    trials: int = Field(20, ge=1, le=1000, description="Trainings in all, those that were stopped early among them.")
    parallel: int = Field(1, ge=1, le=100, description="Training jobs at once.")
    max_hours: float | None = Field(
        None,
        gt=0,
        description="Hours of all training jobs together; no job starts or goes on beyond them. Empty: no limit.",
    )
    stop_early: bool = Field(
        True,
        description="End trainings whose validation is in the worse half at a quarter, a half or the whole of their steps "
        "(asynchronous successive halving). It needs more than one validation: training.validation_every.",
    )
    space: dict[str, SearchRange] = Field(
        default_factory=dict,
        description="By field of the training section: low and high (and log), or choices. Empty: the learning rate, "
        "between an eighth and eight times of the recipe's.",
    )

    def axes(self, training: TrainingSettings) -> dict[str, SearchRange]:
        """What is searched."""
        rate = training.learning_rate
        return self.space or {"learning_rate": SearchRange(low=rate / 8, high=min(rate * 8, 0.5), log=True)}

    def mistakes(self, training: TrainingSettings) -> Iterator[str]:
        """Fields that are not there or not to be searched, and bounds that the training program refuses."""
        permitted = set(TrainingSettings.model_fields) - _NOT_SEARCHED
        for name, axis in self.space.items():
            if name not in permitted:
                yield f"tuning.space.{name}: not a setting to search; permitted are {', '.join(sorted(permitted))}"
                continue
            for value in axis.extremes:
                yield from (f"tuning.space.{name}: {problem}" for problem in _refused(training, name, value))


def _refused(training: TrainingSettings, name: str, value: Any) -> Iterator[str]:
    try:
        TrainingSettings.model_validate(dict(training) | {name: value})
    except ValidationError as error:
        for detail in error.errors():
            if detail["loc"] != (name,):
                continue  # wrong in the training section itself, and reported there
            yield f"{value!r} is refused: {detail['msg'].removeprefix('Value error, ')}"
