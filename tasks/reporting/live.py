"""The page of a run that still goes on: it refreshes itself, and the report takes its place at the end."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from finetune_flows.tasks.base.values import now
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.charts import loss_curve
from finetune_flows.tasks.reporting.page import environment

REPORT = "report.html"
_SECONDS = 5.0  # between two writes of the page; a browser refreshes it as often
log = logging.getLogger("finetune")


@dataclass
class LivePage:
    """The page in a run's folder. An error in it never fails the run."""

    folder: Path
    recipe: Recipe
    losses: list[dict[str, float]] = field(default_factory=list)
    step: Mapping[str, str] = field(default_factory=dict)
    """The fields of the training program's last progress line."""
    written: float = 0.0

    @classmethod
    def begin(cls, folder: Path, recipe: Recipe) -> "LivePage":
        """The page of a run that begins."""
        page = cls(folder, recipe)
        page._write("preparing")
        return page

    def trained(self, step: Mapping[str, str]) -> None:
        """Adds a progress line of the training program. Cheap enough to call for every line."""
        self.step = step
        self.losses.append({"step": int(step["step"]), "loss": float(step["loss"])})
        if step["step"] == step["steps"]:
            self._write("trained, now evaluated")
        elif time.monotonic() - self.written > _SECONDS:
            self._write("training")

    def failed(self, error: BaseException) -> None:
        """Says how the run ended. The page refreshes no more."""
        self._write("failed", f"{type(error).__name__}: {error}")

    def _write(self, state: str, error: str = "") -> None:
        self.written = time.monotonic()
        try:
            curve = loss_curve(self.losses, [], self.recipe.problem.loss_unit) if self.losses else ""
            text = (
                environment()
                .get_template("live.html")
                .render(
                    run=self.folder.name,
                    recipe=self.recipe,
                    step=self.step,
                    now=now(),
                    state=state,
                    error=error,
                    seconds=_SECONDS,
                    losses=Markup(curve),
                )
            )
            draft = self.folder / f"{REPORT}.writing"
            draft.write_text(text, encoding="utf-8")
            draft.rename(self.folder / REPORT)  # a browser never reads half a page
        except Exception as problem:
            log.warning("the live page could not be written: %s", problem)
