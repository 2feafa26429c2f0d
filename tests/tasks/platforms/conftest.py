"""What platforms run on in tests: a Docker engine, and one emulator of AWS for the session, empty for every test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from tests import SUPPORT
from tests.support.sagemaker.containers import can_run_processes
from tests.support.sagemaker.emulator import Emulator

CONTRACT_IMAGE = SUPPORT / "contract_image"


@pytest.fixture(scope="session")
def client() -> docker.DockerClient:
    try:
        return docker.from_env()
    except DockerException as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs a Docker engine: {error}")
        pytest.skip(f"no Docker engine answers: {error}")


@pytest.fixture(scope="session")
def base_image(client: docker.DockerClient) -> str:
    """The one that scripts/docker-engine makes where no registry can be reached, or the public one."""
    local = f"local/python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    try:
        client.images.get(local)
    except ImageNotFound:
        return "python:3.11-slim"
    return local


@pytest.fixture(scope="session")
def image(client: docker.DockerClient, base_image: str) -> str:
    built, _ = client.images.build(
        path=str(CONTRACT_IMAGE),
        tag="finetune-test/contract:1",
        buildargs={"BASE_IMAGE": base_image},
        rm=True,
        forcerm=True,
    )
    return str(built.tags[0])


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    if not can_run_processes():
        reason = "the emulator runs programs in mount namespaces: it needs Linux, and root or user namespaces"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    emulator = Emulator(tmp_path_factory.mktemp("aws"))
    yield emulator
    emulator.stop()


@pytest.fixture
def emulator(aws: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """Every boto3 of the test and of the programs it starts talks to it, whatever the machine is set up for."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no credentials"))
    aws.reset()  # moto keeps its account in this process, where other tests may have emptied it
    yield aws
    broken = list(aws.cloud.own_faults)
    aws.reset()
    assert broken == [], "the emulator broke AWS's rules itself"
