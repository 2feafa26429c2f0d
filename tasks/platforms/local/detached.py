"""Processes that outlive the one that started them: found by folder, stopped as a group, ended at a deadline."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import read_model, write_json
from finetune_flows.tasks.base.programs import child_environment, script
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.platforms.contract import ReadLine

SUPERVISOR = Path(__file__).with_name("supervisor.py")
# OpenMP threads that spin while they wait slow each other down as soon as something else runs: measured, tenfold.
_PATIENT_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
_KILLED_SECONDS = 30.0
_STARTUP_SECONDS = 120.0  # it takes a twentieth of a second on an idle machine


class _Plan(BaseModel):
    """What the supervisor does, as process.json tells it."""

    command: list[str]
    deadline: float
    """Seconds since 1970."""
    grace: float
    """Seconds between SIGTERM and SIGKILL."""


def start(folder: Path, command: Sequence[str], environment: dict[str, str], deadline: float, grace: float) -> None:
    """Starts `command` under a supervisor in a session of its own.

    The command gets `child_environment()`, overlaid with `environment`; none of it is written to disk.
    `deadline` is in seconds since 1970; `grace` is the seconds between SIGTERM and SIGKILL.
    """
    plan = _Plan(command=list(command), deadline=deadline, grace=grace)
    write_json(folder / "process.json", plan.model_dump())
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            script(SUPERVISOR, str(folder)),
            cwd=folder,
            env=_PATIENT_THREADS | child_environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    give_up = time.monotonic() + _STARTUP_SECONDS
    while not is_running(folder) and process.poll() is None:
        if time.monotonic() > give_up:
            process.kill()
            raise EnvironmentProblem(f"the supervisor of {folder} did not start in {_STARTUP_SECONDS:.0f} seconds")
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


class Ending(Frozen):
    """How a command ended, as its supervisor wrote it into exit.json."""

    exit_code: int
    reason: str | None
    """None, `stopped` or `deadline`."""
    ended: float
    """Seconds since 1970."""


def ending(folder: Path) -> Ending | None:
    """How it ended; None if it is running or was killed with its supervisor."""
    return read_model(folder / "exit.json", Ending)


def command(folder: Path) -> list[str] | None:
    """The command that was started last; None if there was none, or its record is damaged."""
    plan = read_model(folder / "process.json", _Plan)
    return plan.command if plan else None


def extend(folder: Path, deadline: float) -> None:
    """Moves the deadline, but never to an earlier time. Does nothing if nothing was started."""
    plan = read_model(folder / "process.json", _Plan)
    if plan is not None and plan.deadline < deadline:
        write_json(folder / "process.json", plan.model_copy(update={"deadline": deadline}).model_dump())


def stop(folder: Path, grace: float) -> None:
    """Sends SIGTERM to the whole group, and SIGKILL after `grace` seconds. Returns when no process of it is left.

    Raises:
        EnvironmentProblem: a process is left half a minute after SIGKILL.
    """
    kill_at = time.monotonic() + grace
    sent: int | None = None
    while is_running(folder):
        if time.monotonic() > kill_at + _KILLED_SECONDS:
            raise EnvironmentProblem(
                f"the processes of {folder} do not end, even after SIGKILL; `fuser {folder / 'lock'}` lists them"
            )
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
