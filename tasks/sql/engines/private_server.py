"""Private database servers: each in a folder of its own, on a Unix socket in it, started when the first pair needs it.

A shell stands between us and the server. It waits for its input to end, which it does however we end, and then ends the
server and removes the folder. So nothing is left behind when we are killed.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from finetune_flows.tasks.sql.engines.contract import EngineMissing

SECONDS_TO_START = 60.0
MEMORY_FOLDER = Path("/dev/shm")  # what is here is gone soon: a disk would be waited for at every CREATE TABLE
MEMORY_BYTES = 2**29
_COMMAND_SECONDS = 300.0  # a new database takes half a minute on a busy machine
_GUARD = """
folder=$1; signal=$2; shift 2
exec 3<&0
trap '' INT TERM HUP
"$@" </dev/null >"$folder/log" 2>&1 3<&- &
server=$!
{
    cat >/dev/null
    kill -s "$signal" $server
    while kill -0 $server; do sleep 0.05; done
    rm -rf "$folder"
} <&3 2>/dev/null &
wait $server
"""


class Server(Protocol):
    """A server that runs."""

    def room(self, number: int) -> str:
        """The address of an empty database, with a role that may use no other; the same for the same number."""

    def stop(self) -> None:
        """End it; its folder goes too."""


class PrivateFolder:
    """A folder for one server, and the user that it runs as: servers refuse to be root, so root leaves them to `nobody`."""

    def __init__(self) -> None:
        memory = MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free > MEMORY_BYTES
        self.path = Path(tempfile.mkdtemp(prefix="finetune-sql-", dir=MEMORY_FOLDER if memory else None))
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.path, self._user)
        self._guard: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a command to its end. Raises EngineMissing when it fails."""
        try:
            subprocess.run(
                command, cwd=self.path, capture_output=True, check=True, timeout=_COMMAND_SECONDS, **self._identity()
            )
        except subprocess.CalledProcessError as problem:
            self.remove()
            lines = (problem.stderr or problem.stdout).decode(errors="replace").strip().splitlines() or [""]
            raise EngineMissing(f"{Path(command[0]).name} failed: {lines[-1][:200]}") from None
        except (OSError, subprocess.TimeoutExpired) as problem:
            self.remove()
            raise EngineMissing(f"{command[0]}: {problem}") from None

    def start(self, command: Sequence[str | Path], end_by: str) -> None:
        """Start the server, which ends by the signal `end_by`."""
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(self.path), end_by, *map(str, command)],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self._identity(),
        )

    def wait_for(self, connect: Callable[[], None], errors: type[Exception]) -> None:
        """Wait until the server answers. Raises EngineMissing when it ends or takes too long."""
        end = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                return connect()
            except errors as problem:
                if time.monotonic() > end or self._guard is None or self._guard.poll() is not None:
                    log = self.path / "log"
                    said = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
                    self.remove()
                    raise EngineMissing(f"the server does not answer: {said[-1] if said else problem}"[:300]) from None
                time.sleep(0.02)

    def remove(self) -> None:
        """End the server, if there is one, and remove the folder."""
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            try:
                self._guard.wait(timeout=_COMMAND_SECONDS)
            except subprocess.TimeoutExpired:  # the server does not end by its signal
                os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard = None
        shutil.rmtree(self.path, ignore_errors=True)

    def _identity(self) -> dict[str, Any]:
        """Nothing of our environment reaches the server, but for the way to its programs and libraries."""
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        user = {"user": self._user, "group": os.stat(self.path).st_gid, "extra_groups": []} if self._user else {}
        return {"env": {**kept, "HOME": str(self.path), "TZ": "UTC"}, **user}


def reachable(program: Path) -> bool:
    """Whether the user that servers run as may run a program."""
    if not program.is_file() or not os.access(program, os.X_OK):
        return False
    return os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in program.resolve().parents)


def version_of(program: Path) -> str:
    """What a program says of its version."""
    command = [str(program), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS).stdout
    return " ".join(said.replace(str(program), program.name).split())[:100]
