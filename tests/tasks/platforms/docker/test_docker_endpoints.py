"""Real serving containers: found by name and label, on the loopback interface only, ended by their own deadline."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels
from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.platforms.docker.containers import write_deadline
from finetune_flows.tasks.sections.stages import ServingSection

pytestmark = pytest.mark.docker


def labels(seconds: float = 600) -> Labels:
    return Labels(recipe="r", step_key="k", flow_run="f", expires_at=datetime.now(UTC) + timedelta(seconds=seconds))


@pytest.fixture
def spec(tmp_path: Path) -> EndpointSpec:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return EndpointSpec(
        name="r-1",
        model=model,
        model_digest="d1",
        serving=ServingSection(dtype="float32", startup_minutes=1),
        labels=labels(),
    )


def test_an_endpoint_answers_is_found_again_and_is_deleted(runner: DockerRunner, spec: EndpointSpec) -> None:
    endpoint = runner.start_endpoint(spec)
    assert httpx.get(f"{endpoint.url}/ping").json() == {"model": ["config.json"], "dtype": "float32"}
    [container] = runner.client.containers.list(filters={"label": f"finetune.home={runner.root}"})
    assert container.ports["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    log = runner.endpoint_log("r-1")
    assert '"GET /ping' in log.read_text()
    assert DockerRunner(runner.section, runner.root).endpoints() == [endpoint]

    later = runner.start_endpoint(spec.model_copy(update={"labels": labels(1200)}))
    assert later.url == endpoint.url, "the server that ran was taken"
    assert later.labels.expires_at > endpoint.labels.expires_at

    other = runner.start_endpoint(spec.model_copy(update={"model_digest": "d2"}))
    assert other.url != endpoint.url, "another model under the name replaces the server"
    assert runner.delete_endpoint("r-1")
    assert not runner.delete_endpoint("r-1")
    assert runner.endpoints() == []
    assert not log.exists(), "it may hold what users asked"


def test_an_endpoint_that_cannot_start_is_told_with_its_last_words(runner: DockerRunner, spec: EndpointSpec) -> None:
    (spec.model / "config.json").unlink()
    with pytest.raises(EndpointFailed, match=r"ended while it was starting: no model here \(log: "):
        runner.start_endpoint(spec)
    assert runner.endpoints() == []
    assert runner.client.containers.list(all=True, filters={"label": f"finetune.home={runner.root}"}) == []


def test_an_endpoint_ends_by_itself_at_its_expiry_and_is_swept(runner: DockerRunner, spec: EndpointSpec) -> None:
    runner.start_endpoint(spec)
    write_deadline(runner.root / "endpoints/r-1", time.time())
    give_up = time.monotonic() + 60
    while runner.endpoints():
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert runner.sweep(datetime.now(UTC)) == ["container of endpoint r-1 (had ended)"]
    assert runner.sweep(datetime.now(UTC)) == []


def test_sweep_removes_what_has_expired_and_leaves_the_rest(runner: DockerRunner, spec: EndpointSpec) -> None:
    runner.start_endpoint(spec.model_copy(update={"name": "old"}))
    runner.start_endpoint(spec.model_copy(update={"name": "new", "labels": labels(5000)}))
    assert runner.sweep(datetime.now(UTC) + timedelta(seconds=1000)) == ["container of endpoint old (expired)"]
    assert [endpoint.name for endpoint in runner.endpoints()] == ["new"]
