"""The platform on a real engine, with an image whose programs take a second."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.sections.platforms import DockerPlatform

WHEELS_PORT = 8799  # always the same: the engine keeps a layer only as long as its arguments are alike


@pytest.fixture
def runner(client: docker.DockerClient, image: str, base_image: str, tmp_path: Path) -> Iterator[DockerRunner]:
    section = DockerPlatform(training_image=image, serving_image=image, base_image=base_image, memory_gb=0.25)
    before = volumes_and_networks(client)
    yield DockerRunner(section, tmp_path / "docker")
    remove_containers(client, tmp_path)
    assert volumes_and_networks(client) == before


def volumes_and_networks(client: docker.DockerClient) -> set[str]:
    return {each.name for each in [*client.volumes.list(), *client.networks.list()]}


def remove_containers(client: docker.DockerClient, folder: Path) -> None:
    for container in client.containers.list(all=True, filters={"label": "finetune.home"}, ignore_removed=True):
        if container.labels["finetune.home"].startswith(str(folder)):
            container.remove(force=True, v=True)


@pytest.fixture(scope="session")
def package_index() -> Iterator[None]:
    """pip's folder of wheels, if this machine has one, where a build can reach it."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    folder = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    if not Path(folder).is_dir() or not folder:
        yield
        return
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", WHEELS_PORT), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        before = os.environ.get("PIP_FIND_LINKS")
        os.environ["PIP_FIND_LINKS"] = f"http://127.0.0.1:{WHEELS_PORT}/"
        yield
        os.environ.pop("PIP_FIND_LINKS")
        if before is not None:
            os.environ["PIP_FIND_LINKS"] = before
        server.shutdown()
