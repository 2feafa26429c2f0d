"""`finetune` as a user starts it, but in this process; and what must be true of every refusal."""

import io
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from finetune_flows.flows.cli import main

SECONDS = 60.0  # for any of them, on a busy machine; each takes less than a second on a quiet one
LONGEST = 8_000  # characters of a message


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    exit_code: int
    out: str
    err: str
    seconds: float

    @property
    def problems(self) -> list[str]:
        """The problems that the message lists, one a line."""
        return [line.removeprefix("  - ") for line in self.err.splitlines() if line.startswith("  - ")]


def finetune(*arguments: str) -> Said:
    """Runs the command."""
    out, err, started = io.StringIO(), io.StringIO(), time.monotonic()
    with _undisturbed(arguments), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int), f"an exit code that is none: {code}"
    return Said(code, out.getvalue(), err.getvalue(), time.monotonic() - started)


@contextmanager
def _undisturbed(arguments: tuple[str, ...]) -> Iterator[None]:
    """What the command changes in its own process is as before for the next one."""
    logger = logging.getLogger("finetune")
    argv, environment, handlers, propagate = sys.argv, dict(os.environ), list(logger.handlers), logger.propagate
    caught = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    sys.argv = ["finetune", *arguments]
    try:
        yield
    finally:
        sys.argv, logger.handlers, logger.propagate = argv, handlers, propagate
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in caught.items():
            signal.signal(number, handler)


def check_refusal(said: Said, exit_code: int, *words: str) -> None:
    """One message with these words, the exit code, and no traceback."""
    shown = f"exit code {said.exit_code}\n{said.out[-2000:]}\n{said.err[-4000:]}"
    assert "Traceback" not in said.out + said.err, shown
    assert said.exit_code == exit_code, shown
    message = " ".join(said.err.split())
    for word in words:
        assert word in message, f"{word!r} is not said\n{shown}"
    lines = [line for line in said.err.splitlines() if not line.startswith("finetune: guessed")]
    assert sum(line.startswith(("finetune: ", "Usage: ")) for line in lines) == 1, shown
    # Progress may be drawn besides.
    assert all(len(line) < LONGEST for line in lines if line.startswith("finetune: "))
    assert said.seconds < SECONDS


def files_below(folder: Path) -> list[str]:
    """Every file, but for locks, which hold nothing."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in found if not name.endswith("lock"))
