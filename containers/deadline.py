"""Runs a command until it ends, or until the moment that a file names: `python3 deadline.py FILE GRACE COMMAND...`.

FILE holds seconds since 1970 and is read again every second, so that the moment can be moved from outside. At the deadline
the command gets SIGTERM, after GRACE seconds SIGKILL, and this program exits with 124, as timeout(1) does. It is mounted
into every container that we start, whatever the image: an orchestrator that died leaves nothing running for ever. Only the
standard library of any Python 3 is used, and nothing of ours.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time

TIMED_OUT = 124


def main(file: str, grace: float, command: list[str]) -> int:
    """Returns the exit code of the command, or 124."""
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: child.send_signal(received))
    kill_at: float | None = None
    while child.poll() is None:
        now = time.time()
        if kill_at is None and now > read_deadline(file):
            child.terminate()
            kill_at = now + grace
        if kill_at is not None and now > kill_at:
            child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=1)
    if kill_at is not None:
        return TIMED_OUT
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def read_deadline(file: str) -> float:
    """Seconds since 1970. A file that cannot be read never ends anything: it is being replaced."""
    try:
        with open(file) as content:
            return float(content.read())
    except (OSError, ValueError):
        return float("inf")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
