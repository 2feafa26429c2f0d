"""Programs in real containers, where an engine answers and an image is named: with the image's own entry point and files."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

LABEL = "finetune.emulator"
_NO_NETWORK, _HOST = "none", "host"  # on the host's network a job reaches the emulator


class Container:
    """The same as `containers.Process`, by an engine. `remove_all` removes it."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.code: int | None = None
        self.lock = threading.Lock()

    @classmethod
    def start(
        cls,
        image: str,
        command: Sequence[str],
        root: Path,
        environment: Mapping[str, str],
        network: bool,
        entrypoint: Sequence[str] = (),
        port: int | None = None,
    ) -> "Container":
        """Runs `image` with `root` as its /opt/ml. `port`: on this machine, for the container's 8080."""
        root.mkdir(parents=True, exist_ok=True)
        way: dict[str, Any] = {"network_mode": _HOST if network else _NO_NETWORK}
        if port is not None:
            way = {"ports": {"8080/tcp": ("127.0.0.1", port)}}
        container = docker.from_env().containers.run(
            image,
            list(command),
            entrypoint=list(entrypoint) or None,
            environment=dict(environment),
            volumes={str(root): {"bind": "/opt/ml", "mode": "rw"}},
            labels={LABEL: str(root)},
            user="root",
            detach=True,
            **way,
        )
        return cls(container)

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends."""
        rest = b""
        for piece in self.container.logs(stream=True, follow=True):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
        if rest:
            yield rest.decode("utf-8", "replace")

    def is_running(self) -> bool:
        """Whether it has not ended."""
        with self.lock:
            if self.code is None:
                self.container.reload()
                if self.container.status in ("exited", "dead"):
                    self.code = self.container.attrs["State"]["ExitCode"]
        return self.code is None

    def wait(self) -> int:
        """Its exit code."""
        if self.code is None:
            self.container.wait()
            self.is_running()
        assert self.code is not None
        return self.code

    def terminate(self) -> None:
        """SIGTERM to its first process."""
        self._signal("SIGTERM")

    def kill(self) -> None:
        """SIGKILL to all of it."""
        self._signal("SIGKILL")

    def _signal(self, name: str) -> None:
        with contextlib.suppress(APIError, NotFound):
            self.container.kill(signal=name)


def remove_all(below: Path) -> None:
    """Removes every container whose /opt/ml is below a folder."""
    for container in docker.from_env().containers.list(all=True, filters={"label": LABEL}):
        if container.labels[LABEL].startswith(str(below)):
            container.remove(force=True, v=True)
