"""Processes that outlive the one that started them: found by folder, stopped as a group, ended at a deadline."""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.files import write_json
from finetune_flows.tasks.base.programs import import_path, script
from finetune_flows.tasks.platforms.contract import ReadLine

SUPERVISOR = Path(__file__).with_name("supervisor.py")
# OpenMP threads that spin while they wait slow each other down as soon as something else runs: measured, tenfold.
_PATIENT_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|CREDENTIAL|API_KEY|ACCESS_KEY", re.IGNORECASE)


def start(folder: Path, command: Sequence[str], environment: dict[str, str], deadline: float, grace: float) -> None:
    """Starts `command` under a supervisor in a session of its own.

    The command gets this process's environment without anything that looks like a secret, overlaid with `environment`.
    `deadline` is in seconds since 1970; `grace` is the seconds between SIGTERM and SIGKILL.
    """
    inherited = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    inherited = _PATIENT_THREADS | inherited
    inherited["PYTHONPATH"] = import_path()
    plan = {"command": list(command), "environment": inherited | environment, "deadline": deadline, "grace": grace}
    write_json(folder / "process.json", plan)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            script(SUPERVISOR, str(folder)),
            cwd=folder,
            env=os.environ | {"PYTHONPATH": inherited["PYTHONPATH"]},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while not is_running(folder) and process.poll() is None:
        time.sleep(0.01)


def is_running(folder: Path) -> bool:
    """Whether the supervisor or its command is running. The lock that they hold decides: a process id may be reused."""
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # shared, so that two callers do not take each other for it
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def ending(folder: Path) -> dict[str, Any] | None:
    """exit_code and reason (None, 'stopped' or 'deadline'); None if it is running or was killed with its supervisor."""
    try:
        content: dict[str, Any] = json.loads((folder / "exit.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


def extend(folder: Path, deadline: float) -> None:
    """Moves the deadline, but never to an earlier time."""
    plan = json.loads((folder / "process.json").read_text(encoding="utf-8"))
    if plan["deadline"] < deadline:
        write_json(folder / "process.json", plan | {"deadline": deadline})


def stop(folder: Path, grace: float) -> None:
    """Sends SIGTERM to the whole group, and SIGKILL after `grace` seconds. Returns when no process of it is left."""
    kill_at = time.monotonic() + grace
    sent: int | None = None
    while is_running(folder):
        wanted = signal.SIGTERM if time.monotonic() < kill_at else signal.SIGKILL
        if wanted != sent:
            _signal_group(folder, wanted)
            sent = wanted
        time.sleep(0.05)


def follow(folder: Path, read_line: ReadLine) -> None:
    """Passes each line of the log to `read_line`, from the beginning, until the process has ended and all is read."""
    buffer = b""
    with (folder / "log.txt").open("rb") as log:
        running = True
        while running:
            running = is_running(folder)
            *lines, buffer = (buffer + log.read()).split(b"\n")
            for line in lines:
                read_line(line.decode("utf-8", "replace"))
            time.sleep(0.2 if running else 0)
    if buffer:
        read_line(buffer.decode("utf-8", "replace"))


def _signal_group(folder: Path, number: int) -> None:
    # The group may have ended since is_running, or its supervisor may not yet have written the file.
    with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
        os.killpg(int((folder / "group").read_text(encoding="utf-8")), number)
