"""What the sections of all problems share."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from finetune_flows.tasks.sections.section import Section


class ProblemSection(Section):
    """What all problems share."""

    metrics: ClassVar[tuple[str, ...]]
    """Scores that the gate may look at; the first is the default."""
    estimates: ClassVar[tuple[str, ...]] = ()
    """Scores that are no shares of rows, on which gate.scores may set conditions."""
    splits: ClassVar[tuple[str, ...]] = ("question", "column")
    """What dataset.split_by may be, beside auto."""
    generates: ClassVar[bool] = True
    """Whether the model answers a chat in its own words, or puts labels on a text."""

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Columns of the texts that the model reads and dataset.steps may change; none where the texts are inside messages."""
        return ()

    @property
    def answer_settings(self) -> dict[str, Any]:
        """How answers are asked for, where that is not the usual way: they are kept by it."""
        return {}

    @property
    def shows_training_rows(self) -> bool:
        """Whether training rows stand in what is asked, so that answers depend on them too."""
        return False

    @property
    def growth(self) -> tuple[int, int]:
        """How many rows' texts and how many answers one request holds at most."""
        return 1, 1

    def unknown_scores(self, names: Iterable[str]) -> Iterator[str]:
        """Of the gate's further scores, those that this problem does not have."""
        for name in names:
            if name not in self.estimates:
                known = ", ".join(self.estimates) or "none for this problem"
                yield f"gate.scores.{name}: unknown; permitted are {known}"

    def mistakes(self, metric: str) -> Iterator[str]:
        """What of the section cannot be, with its path in the recipe. `metric`: what the gate looks at."""
        if metric not in self.metrics:
            yield f"evaluation.metric: {metric!r} is not one of {', '.join(self.metrics)}"
