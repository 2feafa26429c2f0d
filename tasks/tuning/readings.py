"""Reads validation scores from the log lines of a training job."""

import math
from typing import NamedTuple

_FIELDS = {"loss": "validation_loss", "accuracy": "validation_accuracy", "macro_f1": "validation_macro_f1"}


class Reading(NamedTuple):
    """One validation: progress of the training, in percent of its steps, and the score."""

    percent: int
    value: float


class Readings:
    """Reads lines such as `step=3 steps=40 loss=1.2` and `step=40 validation_loss=0.5`.

    The log may repeat earlier validations after a restart. `before` holds those that are already known, so that they are skipped.
    """

    def __init__(self, metric: str, before: dict[int, float]) -> None:
        self.metric = metric
        self.values = dict(before)
        self._steps: float | None = None

    def read(self, line: str) -> Reading | None:
        """The validation in this line; None when the line has none or it is already known."""
        if not line.startswith("step="):
            return None
        try:
            return self._read(line)
        except (ValueError, OverflowError):  # half a line, or numbers that are none
            return None

    def _read(self, line: str) -> Reading | None:
        fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
        if "steps" in fields:
            self._steps = float(fields["steps"])
        text = fields.get(_FIELDS[self.metric])
        if text is None or not self._steps:
            return None
        percent, value = round(100 * float(fields["step"]) / self._steps), float(text)
        if percent in self.values or math.isnan(value):
            return None
        self.values[percent] = value
        return Reading(percent, value)

    def final(self, best: bool) -> float | None:
        """The score of the finished model: of its best validation, or of its last. None without a validation."""
        if not self.values:
            return None
        if not best:
            return self.values[max(self.values)]
        return min(self.values.values()) if self.metric == "loss" else max(self.values.values())
