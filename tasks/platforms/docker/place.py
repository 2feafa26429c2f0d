"""One home's folders and containers on the engine: found again by name and label."""

import hashlib
from functools import cached_property
from pathlib import Path

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.platforms.docker.engine import connect
from finetune_flows.tasks.sections.platforms import DockerPlatform


class Place:
    """The engine, and the folders below `root` that are mounted in its containers."""

    def __init__(self, section: DockerPlatform | None = None, root: Path | None = None) -> None:
        self.section = section or DockerPlatform()
        self.root = root or home() / "docker"

    @cached_property
    def client(self) -> docker.DockerClient:
        """Connected when it is first needed."""
        return connect()

    def container_name(self, name: str) -> str:
        """What the container of a job or endpoint is called: two homes on one engine never meet."""
        return f"{name}.{hashlib.sha256(str(self.root).encode()).hexdigest()[:6]}"

    def folder(self, *parts: str) -> Path:
        """A folder below the root, made when it is not there."""
        folder = self.root.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def find(self, name: str) -> Container | None:
        """The container of that name, running or not."""
        try:
            container: Container = self.client.containers.get(name)
        except NotFound:
            return None
        return container

    def containers(self, kind: str) -> list[Container]:
        """All of a kind (job, endpoint, conversion), running or not."""
        labels = [f"finetune.home={self.root}", f"finetune.kind={kind}"]
        found: list[Container] = self.client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        return found


def start(container: Container) -> None:
    """Starts it, or removes it: one that could not be started stays behind otherwise."""
    try:
        container.start()
    except BaseException:
        remove(container)
        raise
    container.reload()


def remove(container: Container | None) -> None:
    """Removes it, running or not, with its volumes. One that somebody else removes is left to them."""
    if container is None:
        return
    try:
        container.remove(force=True, v=True)
    except APIError as error:
        if error.status_code not in (404, 409):
            raise
