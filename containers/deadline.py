"""Runs a command until it ends, or until the deadline in a file: `python3 deadline.py FILE GRACE COMMAND...`.

FILE holds seconds since 1970. It is read again every second, so that the deadline can be moved from outside. At the
deadline the command gets SIGTERM, GRACE seconds later SIGKILL, and this program exits with 124, as timeout(1) does. Every
container that we start runs under it, whatever the image, so that nothing runs forever if the orchestrator dies. It uses
only the standard library, because the image may have any Python 3.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time

TIMED_OUT = 124


def main(file: str, grace: float, command: list[str]) -> int:
    """Run the command. Returns its exit code, or 124 if the deadline ended it."""
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
    # subprocess reports a signal as a negative number; a shell reports it as 128 + number.
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def read_deadline(file: str) -> float:
    """Seconds since 1970; infinity when the file cannot be read."""
    # The file may just be being replaced, which must not end the command. The next second reads it again.
    try:
        with open(file) as content:
            return float(content.read())
    except (OSError, ValueError):
        return float("inf")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
