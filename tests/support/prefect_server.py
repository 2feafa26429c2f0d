"""A Prefect server and a worker for tests: real processes, a free port, a home of their own, ended with the test."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PREFECT = [sys.executable, "-m", "prefect"]


@dataclass
class PrefectServer:
    """`environment`: what a command needs to reach it. `url`: of the UI, without a slash at its end."""

    url: str
    environment: dict[str, str]
    folder: Path

    def command(self, *arguments: str) -> str:
        """Output of a command that must succeed."""
        result = subprocess.run(
            arguments, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def post(self, path: str, **body: Any) -> Any:
        """Answer of the server's API."""
        return httpx.post(f"{self.url}/api/{path}", json=body, timeout=60).raise_for_status().json()

    def get(self, path: str) -> Any:
        """Answer of the server's API."""
        return httpx.get(f"{self.url}/api/{path}", timeout=60).raise_for_status().json()

    def patch(self, path: str, **body: Any) -> None:
        """Changes something by the server's API."""
        httpx.patch(f"{self.url}/api/{path}", json=body, timeout=60).raise_for_status()

    def deployment(self, name: str) -> dict[str, Any]:
        """The deployment of that name."""
        [found] = self.post("deployments/filter", deployments={"name": {"any_": [name]}})
        return dict(found)

    def start(self, deployment: str, **parameters: Any) -> str:
        """Starts a run of a deployment; returns its id."""
        run = self.post(f"deployments/{self.deployment(deployment)['id']}/create_flow_run", parameters=parameters)
        return str(run["id"])

    def ended(self, run: str) -> str:
        """The type of the state in which a run came to its end or its pause; empty while it is under way."""
        state = str(self.get(f"flow_runs/{run}")["state_type"])
        return state if state in ("COMPLETED", "FAILED", "CRASHED", "PAUSED") else ""

    def runs_of(self, deployment: str) -> list[dict[str, Any]]:
        """Flow runs of a deployment, the newest first."""
        runs = self.post("flow_runs/filter", deployments={"name": {"any_": [deployment]}}, sort="START_TIME_DESC")
        return list(runs)

    def artifact(self, run: str, key: str) -> str:
        """Id of the artifact that a run left under a key."""
        [found] = self.post("artifacts/filter", artifacts={"flow_run_id": {"any_": [run]}, "key": {"any_": [key]}})
        return str(found["id"])

    @contextmanager
    def worker(self, pool: str) -> Iterator[None]:
        """A worker of that pool."""
        with _process([*PREFECT, "worker", "start", "--pool", pool], self.environment, self.folder / "worker.log"):
            yield


@contextmanager
def prefect_server(folder: Path) -> Iterator[PrefectServer]:
    """Migrating a new database takes half a minute on a busy machine."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_API_PORT": str(port),  # the UI asks for its data there; the option --port would not tell it
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "FINETUNE_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMP_NUM_THREADS": "1",
    }
    server = PrefectServer(url, environment, folder)
    with _process([*PREFECT, "server", "start"], environment, folder / "server.log"):
        wait_for(lambda: _healthy(url), 180, "the server's health")
        yield server


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Fails when it does not come true in time."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited {seconds} s for {what}"
        time.sleep(0.5)


@contextmanager
def _process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as output:
        # Its own session: all of it can be ended. A background test run ignores SIGINT, and a worker would inherit that.
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
