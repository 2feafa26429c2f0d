"""Progress of long work: lines in the log, a bar in a terminal or a notebook, a progress artifact in the Prefect UI."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from finetune_flows.tasks.base.notebook import in_notebook, log_into_notebook
from finetune_flows.tasks.base.terminal import console

log = logging.getLogger("finetune")
log.setLevel(logging.INFO)  # here, because in a worker no command sets it
_progress_log = logging.getLogger("finetune.progress")
_notebook = log_into_notebook() if in_notebook() else None


class Update(Protocol):
    """Reports progress: `done` of `total`, and a few words."""

    def __call__(self, done: float, total: float, words: str = "") -> None:
        """Cheap enough to call for every row."""


@contextmanager
def progress(title: str, key: str) -> Iterator[Update]:
    """Shows the progress of the block. `key` names the artifact: lower-case letters, digits and hyphens."""
    artifact = _Artifact(key, title)
    bar = Progress(
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}", markup=False),
        console=console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
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


class _Artifact:
    """A progress artifact, updated every `INTERVAL` seconds at most. An error in it never fails the work."""

    INTERVAL = 10.0  # seconds

    def __init__(self, key: str, title: str) -> None:
        self.key, self.title = key, title
        self.id: object | None = None
        self.written = time.monotonic()

    def update(self, done: float, total: float, words: str) -> None:
        if time.monotonic() - self.written < self.INTERVAL or not total:
            return
        self.written = time.monotonic()
        percent = 100 * done / total
        _progress_log.info("%s: %.0f %% %s", self.title, percent, words)
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
