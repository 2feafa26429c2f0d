"""What the lines of a training job say of its validations."""

from typing import NamedTuple

_FIELDS = {"loss": "validation_loss", "accuracy": "validation_accuracy", "macro_f1": "validation_macro_f1"}


class Reading(NamedTuple):
    """One validation: how far the training was, in percent of its steps, and the score."""

    percent: int
    value: float


class Readings:
    """Reads `step=3 steps=40 loss=1.2` and `step=40 validation_loss=0.5 ...`; what was read before is passed over."""

    def __init__(self, metric: str, before: dict[int, float]) -> None:
        self.metric = metric
        self.values = dict(before)
        self._steps: float | None = None

    def read(self, line: str) -> Reading | None:
        """A validation that is new; None for other lines."""
        if not line.startswith("step="):
            return None
        fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
        if "steps" in fields:
            self._steps = float(fields["steps"])
        text = fields.get(_FIELDS[self.metric])
        if text is None or not self._steps:
            return None
        percent = round(100 * float(fields["step"]) / self._steps)
        if percent in self.values:
            return None
        self.values[percent] = float(text)
        return Reading(percent, self.values[percent])

    def final(self, best: bool) -> float | None:
        """The score of the model that the training leaves: of its best validation, or of its last. None without any."""
        if not self.values:
            return None
        if not best:
            return self.values[max(self.values)]
        return min(self.values.values()) if self.metric == "loss" else max(self.values.values())
