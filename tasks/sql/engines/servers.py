"""Private database servers: each in a folder of its own, on a Unix socket in it, started when the first pair needs it.

A shell stands between us and the server. It waits for its input to end, which it does however we end, and then ends the
server and removes the folder. So nothing is left behind when we are killed.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from finetune_flows.tasks.sql.engines.contract import EngineMissing

SECONDS_TO_START = 60.0
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


class Servers:
    """The servers of one pool of workers, each started once, when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[str, Server | EngineMissing] = {}

    def address(self, dialect: str, number: int) -> str | EngineMissing | None:
        """Where worker `number` finds the dialect's server, or why there is none; None where the engine is no server."""
        if dialect not in _STARTS:
            return None
        with self._lock:
            if dialect not in self._started:
                self._started[dialect] = _start(dialect)
            server = self._started[dialect]
            return server if isinstance(server, EngineMissing) else server.room(number)

    def stop(self) -> None:
        """End all of them."""
        for server in self._started.values():
            if not isinstance(server, EngineMissing):
                server.stop()
        self._started.clear()


def _start_postgres() -> Server:
    from finetune_flows.tasks.sql.engines.postgres_server import PostgresServer

    return PostgresServer()


def _start_mysql() -> Server:
    from finetune_flows.tasks.sql.engines.mysql_server import MysqlServer

    return MysqlServer()


_STARTS: dict[str, Callable[[], Server]] = {"postgres": _start_postgres, "mysql": _start_mysql}


def _start(dialect: str) -> Server | EngineMissing:
    try:
        return _STARTS[dialect]()
    except ImportError as problem:
        return EngineMissing(f"{problem}; pip install 'finetune-flows[databases]'")
    except EngineMissing as problem:
        return problem


class PrivateFolder:
    """A folder for one server, and the user that it runs as: servers refuse to be root, so root leaves them to `nobody`."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="finetune-sql-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.path, self._user)
        self._guard: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a command to its end. Raises EngineMissing when it fails."""
        try:
            subprocess.run(command, cwd=self.path, capture_output=True, check=True, **self._identity())
        except subprocess.CalledProcessError as problem:
            self.remove()
            lines = (problem.stderr or problem.stdout).decode(errors="replace").strip().splitlines() or [""]
            raise EngineMissing(f"{Path(command[0]).name} failed: {lines[-1][:200]}") from None
        except OSError as problem:
            raise EngineMissing(f"{command[0]}: {problem}") from None

    def start(self, command: Sequence[str | Path], signal: str) -> None:
        """Start the server, which ends by `signal`."""
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(self.path), signal, *map(str, command)],
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
                    said = (self.path / "log").read_text(errors="replace").strip().splitlines()
                    self.remove()
                    raise EngineMissing(f"the server does not answer: {said[-1] if said else problem}"[:300]) from None
                time.sleep(0.02)

    def remove(self) -> None:
        """End the server, if there is one, and remove the folder."""
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            self._guard.wait()
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
