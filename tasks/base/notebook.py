"""What a notebook shows of a run: one area below the cell, rewritten in place, instead of a line for each event."""

import html
import logging
import os
import sys
import time
import warnings
from collections import deque
from typing import Any

_LINES = 12
_SECONDS = 0.5  # between two drawings of the progress


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class Area(logging.Handler):
    """The last lines of our log and, below them, the progress of what is under way. Each cell has an area of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(lambda record: record.name == "finetune")
        self._cell: int | None = None
        self._display: Any = None
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._progress, self._drawn = "", 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Adds a line of the log."""
        self._of_this_cell()
        self._lines.append(f"{time.strftime('%H:%M:%S', time.localtime(record.created))}  {record.getMessage()}")
        self._draw()

    def show(self, title: str, done: float, total: float, words: str) -> None:
        """Shows how far the work under way is."""
        self._progress = f"{title}  {100 * done / total:.0f} %  {words}" if total else title
        if time.monotonic() - self._drawn > _SECONDS:
            self._of_this_cell()
            self._draw()

    def end(self) -> None:
        """Takes the progress away."""
        self._progress = ""
        if self._display is not None:
            self._draw()

    def _of_this_cell(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        cell: int | None = getattr(get_ipython(), "execution_count", None)
        if cell != self._cell:
            self._cell = cell
            self._lines.clear()
            self._display = display({"text/html": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        lines = [*self._lines, *([f"▸ {self._progress}"] if self._progress else [])]
        text = html.escape("\n".join(lines))
        page = f'<pre style="white-space: pre-wrap; margin: 0">{text}</pre>'
        self._display.update({"text/html": page, "text/plain": "\n".join(lines)}, raw=True)


def log_into_notebook() -> Area:
    """An area that our log goes to. Prefect's own log still goes to its server, but not below the cell."""
    area, ours, prefects = Area(), logging.getLogger("finetune"), logging.getLogger("prefect")
    ours.addHandler(area)
    prefects.addHandler(logging.NullHandler())
    ours.propagate = prefects.propagate = False
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")  # its server would write an error when offline
    warnings.filterwarnings("ignore", message="IProgress not found")  # bars of other libraries need ipywidgets
    return area
