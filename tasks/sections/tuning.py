"""Which training settings `finetune tune` searches, and how much it may spend."""

from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from finetune_flows.tasks.sections.section import Section, rule
from finetune_flows.training.settings import TrainingSettings

# These settings do not change how well a model learns. They choose what is compared, where the job runs and what is kept.
_NOT_SEARCHED = {
    *("seed", "best_by", "keep", "patience", "validation_every", "checkpoint_every", "merge"),
    *("processes", "sharding", "trust_remote_code", "max_length", "report_to"),
}


class SearchRange(Section):
    """Values that one setting may take: between two bounds, or one of a list."""

    low: float | None = Field(None, description="Lowest value.")
    high: float | None = Field(
        None, description="Highest value. If both bounds are whole numbers, only whole numbers are tried."
    )
    log: bool = Field(False, description="Search on a logarithmic scale, as for a learning rate.")
    choices: tuple[int | float | str, ...] = Field((), description="Values to try, instead of low and high.")

    @rule
    def _is_a_range_or_a_list(self) -> Iterator[str]:
        if self.choices:
            if self.low is not None or self.high is not None or self.log:
                yield "has choices: remove low, high and log"
        elif self.low is None or self.high is None:
            yield "needs low and high, or choices"
        elif not self.low < self.high:
            yield f"low ({self.low:g}) must be below high ({self.high:g})"
        elif self.log and self.low <= 0:
            yield "log needs low above 0"

    @property
    def extremes(self) -> tuple[int | float | str, ...]:
        """The values to check: if the training program permits these, it permits every value of the range."""
        return self.choices or tuple(bound for bound in (self.low, self.high) if bound is not None)


class TuningSection(Section):
    """Search for better training settings with `finetune tune`. `finetune run` ignores this section."""

    model_config = ConfigDict(title="Tuning")

    trials: int = Field(20, ge=1, le=1000, description="Number of trainings, including those stopped early.")
    parallel: int = Field(1, ge=1, le=100, description="Maximum number of training jobs at the same time.")
    max_hours: float | None = Field(
        None,
        gt=0,
        description="Maximum hours of all training jobs together. No job starts or continues beyond it. Empty: no limit.",
    )
    stop_early: bool = Field(
        True,
        description="Stop a training whose validation is in the worse half after a quarter, half or all of its steps "
        "(asynchronous successive halving). This needs more than one validation: set training.validation_every.",
    )
    space: dict[str, SearchRange] = Field(
        default_factory=dict,
        description="Settings to search, by field of the training section. Each has low and high (and log), or choices. "
        "Empty: search the learning rate, from one eighth to eight times the recipe's value.",
    )

    def axes(self, training: TrainingSettings) -> dict[str, SearchRange]:
        """The settings that the search varies, each with its range."""
        rate = training.learning_rate
        return self.space or {"learning_rate": SearchRange(low=rate / 8, high=min(rate * 8, 0.5), log=True)}

    def mistakes(self, training: TrainingSettings) -> Iterator[str]:
        """One line for each field that cannot be searched and each bound that the training program refuses."""
        permitted = set(TrainingSettings.model_fields) - _NOT_SEARCHED
        for name, axis in self.space.items():
            if name not in permitted:
                yield f"tuning.space.{name}: cannot be searched; permitted are {', '.join(sorted(permitted))}"
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
