"""Progress of long work: lines in the log, a bar in a terminal or a notebook, a progress artifact in the Prefect UI."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from finetune_flows.tasks.base.notebook import in_notebook, log_into_notebook
from finetune_flows.tasks.base.terminal import err

log = logging.getLogger("finetune")
log.setLevel(logging.INFO)  # here, because in a worker no command sets it
PROGRESS_LOG = logging.getLogger("finetune.progress")
"""The lines that a live area makes superfluous."""
_WIDE = 110  # columns that hold a long bar and the words of a training
_notebook = log_into_notebook() if in_notebook() else None


class Update(Protocol):
    """Reports progress: `done` of `total`, and a few words."""

    def __call__(self, done: float, total: float, words: str = "") -> None:
        """Cheap enough to call for every row."""


@contextmanager
def progress(title: str, key: str) -> Iterator[Update]:
    """Shows the progress of the block. `key` names the artifact: lower-case letters, digits and hyphens."""
    artifact = _Artifact(key, title)
    bar = _Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28 if err.width >= _WIDE else 8),
        TextColumn("{task.percentage:>3.0f} %", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}", markup=False, table_column=Column(no_wrap=False)),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )
    started = time.monotonic()
    with bar:
        shown = bar.add_task(title, total=None, words="")

        def update(done: float, total: float, words: str = "") -> None:
            bar.update(shown, completed=done, total=total, words=words)
            if _notebook:
                _notebook.show(title, done, total, words)
            artifact.update(done, total, words)

        try:
            yield update
        finally:
            if _notebook:
                _notebook.end()
    artifact.finish()
    log.info("%s: done in %.0f s", title, time.monotonic() - started)


class _Bar(Progress):
    def get_renderables(self) -> Iterator[Constrain]:
        """The bar with a margin for the terminal's `^C`. On a line of its own, that would leave a stale bar behind."""
        yield Constrain(self.make_tasks_table(self.tasks), err.width - 3)


class _Artifact:
    """A progress artifact, updated every `INTERVAL` seconds at most. An error in it never fails the work."""

    INTERVAL = 10.0  # seconds

    def __init__(self, key: str, title: str) -> None:
        self.key, self.title = key, title
        self.id: object | None = None
        self.written = time.monotonic()

    def update(self, done: float, total: float, words: str) -> None:
        if time.monotonic() - self.written < self.INTERVAL:
            return
        self.written = time.monotonic()
        if not total:
            PROGRESS_LOG.info("%s: %s", self.title, words)
            return
        percent = 100 * done / total
        PROGRESS_LOG.info("%s: %.0f %% %s", self.title, percent, words)
        self._write(percent)

    def finish(self) -> None:
        if self.id is not None:
            self._write(100.0)

    def _write(self, percent: float) -> None:
        if FlowRunContext.get() is None:
            return
        try:
            if self.id is None:
                self.id = create_progress_artifact(percent, key=self.key, description=self.title)
            else:
                update_progress_artifact(self.id, percent)  # type: ignore[arg-type]
        except Exception as error:  # a server that cannot be reached must not end hours of training
            log.warning("progress of %s is not shown in the UI: %s", self.title, error)
