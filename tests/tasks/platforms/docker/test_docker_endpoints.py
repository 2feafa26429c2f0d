"""Containers as endpoints, in what the contract's own tests do not see."""

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from docker.models.containers import Container

from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.platforms.contract import EndpointSpec
from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.platforms.docker.containers import write_deadline
from finetune_flows.tasks.sections.stages import ServingSection
from tests.support.quick_work import an_endpoint

pytestmark = pytest.mark.docker


@pytest.fixture
def spec(tmp_path: Path) -> EndpointSpec:
    return an_endpoint(tmp_path, serving=ServingSection(dtype="float32", startup_minutes=1))


def test_an_endpoint_is_on_the_loopback_interface_only_and_leaves_no_container(
    runner: DockerRunner, spec: EndpointSpec
) -> None:
    endpoint = runner.start_endpoint(spec)
    assert httpx.get(f"{endpoint.url}/ping").json() == {"model": ["config.json"], "dtype": "float32"}
    [container] = runner.client.containers.list(filters={"label": f"finetune.home={runner.root}"})
    assert container.ports["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    runner.delete_endpoint("r-1")
    assert containers(runner) == []


def test_one_that_cannot_start_leaves_no_container(runner: DockerRunner, spec: EndpointSpec) -> None:
    (spec.model / "config.json").unlink()
    with pytest.raises(EndpointFailed, match=r"ended while it was starting: no model here \(log: "):
        runner.start_endpoint(spec)
    assert containers(runner) == []


def containers(runner: DockerRunner) -> list[Container]:
    found: list[Container] = runner.client.containers.list(all=True, filters={"label": f"finetune.home={runner.root}"})
    return found


def test_an_endpoint_ends_by_itself_at_its_expiry_and_is_swept(runner: DockerRunner, spec: EndpointSpec) -> None:
    runner.start_endpoint(spec)
    write_deadline(runner.root / "endpoints/r-1", time.time())
    give_up = time.monotonic() + 60
    while runner.endpoints():
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert runner.sweep(datetime.now(UTC)) == ["container of endpoint r-1 (had ended)"]
    assert runner.sweep(datetime.now(UTC)) == []
