"""The Prefect server of this home: one at most, started when a command needs it, ended when no command uses it any more.

Prefect would start a server for each command, as a child in the command's process group. Then every command waits for a
new one, Ctrl-C ends the server before the flow has reported its end, and a command that is killed leaves it behind. This
one is in a session of its own, is shared by all commands of the home, and ends by itself.

A command holds a shared lock while it lives, and the kernel releases it however the command ends. The server looks whether
it could have the lock for itself; after some minutes of that, it ends.

A server that ends while a command uses it, because it was killed or the machine was short of memory, is started again at
the same address. Its database is a file, and Prefect's client repeats a failed request for a minute, so the run goes on.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import prefect
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings

from finetune_flows.tasks.base.errors import EnvironmentProblem, TryLater
from finetune_flows.tasks.base.files import Users, home, locked, write_json
from finetune_flows.tasks.base.programs import import_path, program

if TYPE_CHECKING:
    from uvicorn import Server

IDLE_SECONDS = 300.0
START_SECONDS = 180.0  # a first start migrates a new database, which takes half a minute on a busy machine
_LOOK_SECONDS = 1.0
_HOST, _USERS = "127.0.0.1", "users.lock"


def use_prefect_server(idle_seconds: float = IDLE_SECONDS) -> None:
    """Makes this process use the Prefect server that the user has configured, else the one of this home.

    Raises:
        EnvironmentProblem: the configured server does not answer, or ours does not start.
    """
    url = PREFECT_API_URL.value()
    if url:
        _check(url)
        return
    folder = _folder()
    _until_the_end.enter_context(closing(Users(folder / _USERS)))
    with locked(folder / "start.lock"):
        url = _running(folder) or _start(folder, idle_seconds)
    threading.Thread(target=_keep_up, args=(folder, url, idle_seconds), daemon=True).start()
    os.environ["PREFECT_API_URL"] = url  # for the processes that this one starts
    _until_the_end.enter_context(temporary_settings({PREFECT_API_URL: url, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}))


def _check(url: str) -> None:
    try:
        httpx.get(f"{url}/health", timeout=30).raise_for_status()
    except httpx.HTTPError as error:
        raise EnvironmentProblem(
            f"the Prefect server at {url} (PREFECT_API_URL) does not answer: {error or type(error).__name__}. Start it, or "
            "unset PREFECT_API_URL to use a server that is started for you"
        ) from None


def _folder() -> Path:
    """A server of another version would not understand this one's commands, and the other way round."""
    folder = home() / "prefect" / prefect.__version__
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(f"{home()} (FINETUNE_HOME) cannot be written: {error.strerror}") from None
    return folder


_until_the_end = ExitStack()
"""What must not be closed before the process ends: the lock, and the settings, which it had read before."""


def _running(folder: Path) -> str | None:
    """The address of the server of this home, if it answers."""
    with suppress(OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
        url = str(json.loads((folder / "server.json").read_text(encoding="utf-8"))["url"])
        httpx.get(f"{url}/health", timeout=10).raise_for_status()
        return url
    return None


def _keep_up(folder: Path, url: str, idle_seconds: float) -> None:
    """Starts the server again whenever nothing listens at its address any more."""
    port = urlsplit(url).port or 0
    while True:
        time.sleep(_LOOK_SECONDS)
        if _listens(port):
            continue
        # A message here would only interrupt the run's: if the server cannot start, the command fails by itself and says so.
        with suppress(OSError, EnvironmentProblem, TryLater), locked(folder / "start.lock"):
            if not _listens(port):
                _start(folder, idle_seconds, port)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), timeout=10).close()
    except TimeoutError:
        return True  # it is busy or stopped, and holds its port
    except OSError:
        return False
    return True


def _start(folder: Path, idle_seconds: float, port: int = 0) -> str:
    (folder / "server.json").unlink(missing_ok=True)
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            program("flows.prefect_server", str(folder), "--idle", str(idle_seconds), "--port", str(port)),
            env=os.environ | {"PYTHONPATH": import_path()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal does not reach it
        )
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        url = _running(folder)
        if url:
            return url
        time.sleep(0.1)
    process.kill()
    lines = (folder / "server.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise EnvironmentProblem(
        f"Prefect's server did not start: {lines[-1] if lines else f'no answer in {START_SECONDS:.0f} seconds'}. "
        f"Its log: {folder / 'server.log'}"
    )


def main(arguments: list[str]) -> None:
    """The server's own process: serves until no command has used it for some time, or its home is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--idle", type=float, required=True, help="Seconds without a command after which it ends.")
    parser.add_argument("--port", type=int, default=0, help="Port of the loopback interface. Default: a free one.")
    options = parser.parse_args(arguments)
    import uvicorn
    from prefect.server.api.server import create_app

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of one that was killed may linger
        listener.bind((_HOST, options.port))
        app = create_app(ephemeral=True, final=True)  # no UI, and only the services that record runs
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        write_json(
            options.folder / "server.json",
            {"url": f"http://{_HOST}:{listener.getsockname()[1]}/api", "pid": os.getpid()},
        )
        threading.Thread(target=_end_when_idle, args=(server, options.folder, options.idle), daemon=True).start()
        server.run(sockets=[listener])


def _end_when_idle(server: "Server", folder: Path, idle_seconds: float) -> None:
    used, file = time.monotonic(), folder / "server.json"
    while file.exists():
        time.sleep(_LOOK_SECONDS)
        if file.exists() and _is_used(folder):
            used = time.monotonic()
        elif time.monotonic() - used > idle_seconds:
            with locked(folder / "start.lock"):  # no command finds this server between the last look and its end
                if not _is_used(folder):
                    file.unlink(missing_ok=True)
    server.should_exit = True


def _is_used(folder: Path) -> bool:
    with closing(Users(folder / _USERS)) as users:
        return not users.last()


if __name__ == "__main__":
    main(sys.argv[1:])
