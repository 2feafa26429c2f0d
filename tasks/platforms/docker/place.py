"""The folders and containers of one home. Containers are found again by name and label."""

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
        """The client of the engine, which connects at first use."""
        return connect()

    def container_name(self, name: str) -> str:
        """The container's name for a job or endpoint. It differs between homes, because they may share one engine."""
        return f"{name}.{hashlib.sha256(str(self.root).encode()).hexdigest()[:6]}"

    def folder(self, *parts: str) -> Path:
        """A folder below the root; created if it does not exist."""
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
        """All containers of a kind (job, endpoint, conversion), running or not."""
        labels = [f"finetune.home={self.root}", f"finetune.kind={kind}"]
        found: list[Container] = self.client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        return found


def start(container: Container) -> None:
    """Starts a container. Removes it if it cannot start, because the engine would keep it."""
    try:
        container.start()
    except BaseException:
        remove(container)
        raise
    container.reload()


def remove(container: Container | None) -> None:
    """Removes a container, running or not, with its volumes."""
    if container is None:
        return
    try:
        container.remove(force=True, v=True)
    except APIError as error:
        if error.status_code not in (404, 409):  # gone, or already being removed by another process
            raise
