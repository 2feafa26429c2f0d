"""Runs one command to its end or its deadline: `python supervisor.py FOLDER`.

FOLDER/process.json: command, deadline (seconds since 1970; read again while the command runs, so that it
can be moved) and grace (seconds between SIGTERM and SIGKILL). The output goes to FOLDER/log.txt, the ending to
FOLDER/exit.json. This process and its child hold FOLDER/lock as long as they live, so that the kernel says whether they
run; a process id in a file could be out of date.

It imports only the standard library, so that it starts in a few hundredths of a second and stays small.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any


def supervise(folder: Path) -> None:
    """Starts the command of process.json in this process's environment, waits, enforces the deadline and writes exit.json."""
    plan = _read(folder)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    # Before it writes its group: of two supervisors, the one that runs the command can be signalled.
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (folder / "group").write_text(str(os.getpgid(0)), encoding="utf-8")
    stop = _Stop()
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            plan["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],  # an orphaned child still counts as running
        )
        _wait(child, folder, plan, stop)
    _write_exit(folder, {"exit_code": child.returncode, "reason": stop.reason, "ended": time.time()})


class _Stop:
    """Why the command is being stopped, if it is."""

    def __init__(self) -> None:
        self.reason: str | None = None
        signal.signal(signal.SIGTERM, self._asked)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the flow handles Ctrl-C in a terminal

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.reason = self.reason or "stopped"


def _wait(child: "subprocess.Popen[bytes]", folder: Path, plan: dict[str, Any], stop: _Stop) -> None:
    kill_at: float | None = None
    while child.poll() is None:
        now = time.time()
        # If the file cannot be read, the last plan stays valid: without a supervisor the command would have no deadline.
        with contextlib.suppress(OSError, ValueError):
            plan = _read(folder)
        if stop.reason is None and now > plan["deadline"]:
            stop.reason = "deadline"
        if stop.reason and kill_at is None:
            child.terminate()
            kill_at = now + plan["grace"]
        if kill_at is not None and now > kill_at:
            child.kill()
        time.sleep(0.2)


def _read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "process.json").read_text(encoding="utf-8"))
    return content


def _write_exit(folder: Path, ending: dict[str, Any]) -> None:
    temporary = folder / "exit.json.new"
    temporary.write_text(json.dumps(ending), encoding="utf-8")
    os.replace(temporary, folder / "exit.json")


if __name__ == "__main__":
    supervise(Path(sys.argv[1]))
