"""Where a campaign's jobs and servers run: as processes or in containers. How to find them there and to signal them."""

import contextlib
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import psutil

from tests.faults import programs

IMAGE = "finetune-test/faults:1"
_OURS: dict[str, Callable[[str], bool]] = {
    "trainer": lambda line: " train " in line and "supervisor.py" not in line,
    "server": lambda line: " serve " in line and "supervisor.py" not in line,
    "forwarder": lambda line: "forwarder.py" in line,
    "job supervisor": lambda line: "supervisor.py" in line and "/jobs/" in line,
    "server supervisor": lambda line: "supervisor.py" in line and "/endpoints/" in line,
    "forwarder supervisor": lambda line: "supervisor.py" in line and "/aliases/" in line,
    "Prefect server": lambda line: "flows.prefect_server" in line,
}


class Processes:
    """Jobs and servers as processes of this machine, found by their command lines."""

    roles = tuple(_OURS)
    folder = ""
    """Where the platform's own files are, below the home."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home

    def section(self) -> dict[str, Any]:
        """The recipe's platform: our programs of a second in the place of an interpreter."""
        interpreter = self.root / "python"
        command = f"{shlex.quote(sys.executable)} -S {shlex.quote(programs.__file__)}"
        interpreter.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        interpreter.chmod(0o755)
        return {"kind": "process", "python": str(interpreter)}

    def running(self, role: str | None = None) -> list[str]:
        """The command lines, or names, of what runs; of one role if it is given."""
        return [" ".join(process.info["cmdline"]) for process in self._processes(role)]

    def send(self, role: str | None, number: int) -> bool:
        """Sends a signal to everything of a role, or to everything. False if there is nothing."""
        found = self._processes(role)
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return bool(found)

    def clear(self) -> None:
        """Removes what a platform keeps of what has ended."""

    def _processes(self, role: str | None) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            line = " ".join(process.info["cmdline"] or []) + " "
            if str(self.home) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
                found += [process] if role is None or _OURS[role](line) else []
        return found


class Containers(Processes):
    """Jobs and servers in containers of this machine's engine, found by their labels."""

    roles = ("trainer", "server", "forwarder", "forwarder supervisor", "Prefect server")
    folder = "docker"

    def __init__(self, root: Path, home: Path) -> None:
        super().__init__(root, home)
        self.client = docker.from_env()

    def section(self) -> dict[str, Any]:
        """An image with our programs of a second, built on what scripts/docker-engine made."""
        context = self.root / "image"
        context.mkdir()
        (context / "programs.py").write_text(Path(programs.__file__).read_text())
        base = f"local/python:{sys.version_info.major}.{sys.version_info.minor}-slim"
        lines = [f"FROM {base}", "COPY programs.py /", 'ENTRYPOINT ["python3", "-u", "-S", "/programs.py"]']
        (context / "Dockerfile").write_text("\n".join(lines))
        self.client.images.build(path=str(context), tag=IMAGE, rm=True, forcerm=True)
        return {"kind": "docker", "training_image": IMAGE, "serving_image": IMAGE, "memory_gb": 0.25}

    def running(self, role: str | None = None) -> list[str]:
        """Containers by name, and processes by command line."""
        own = [f"container {each.name}" for each in self._containers(role)]
        return own + (super().running(role) if role not in ("trainer", "server") else [])

    def send(self, role: str | None, number: int) -> bool:
        """The engine passes signals on; it stops and continues containers itself."""
        actions = {signal.SIGSTOP: "pause", signal.SIGCONT: "unpause"}
        found = self._containers(role)
        for container in found:
            with contextlib.suppress(docker.errors.APIError):  # it ended meanwhile
                getattr(container, actions[signal.Signals(number)])() if number in actions else container.kill(number)
        sent = super().send(role, number) if role not in ("trainer", "server") else False
        return bool(found) or sent

    def clear(self) -> None:
        """Removes the containers, which the engine keeps when they end."""
        for container in self._containers(None):
            container.remove(force=True, v=True)

    def _containers(self, role: str | None) -> list[Any]:
        kinds = {"trainer": ["finetune.kind=job"], "server": ["finetune.kind=endpoint"], None: []}
        if role not in kinds:
            return []
        labels = [f"finetune.home={self.home / self.folder}", *kinds[role]]
        every = role is None  # those that have ended too: they must not be left behind
        found: list[Any] = self.client.containers.list(all=every, filters={"label": labels}, ignore_removed=True)
        return found


PLACES = {"process": Processes, "docker": Containers}
