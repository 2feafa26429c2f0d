"""Processes as endpoints and jobs, in what the contract's own tests do not see: each keeps its own deadline."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finetune_flows.tasks.platforms.contract import EndpointSpec, TrainingJob
from finetune_flows.tasks.platforms.process import ProcessRunner
from finetune_flows.tasks.sections.platforms import ProcessPlatform
from tests.support.quick_work import an_endpoint, labels, quick_python


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessRunner]:
    """Its jobs and servers take a second."""
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    runner = ProcessRunner(ProcessPlatform(python=str(quick_python(tmp_path))))
    yield runner
    for endpoint in runner.endpoints():
        runner.delete_endpoint(endpoint.name)


@pytest.fixture
def spec(tmp_path: Path) -> EndpointSpec:
    return an_endpoint(tmp_path)


def wait_for_its_end(runner: ProcessRunner) -> None:
    limit = time.monotonic() + 60
    while runner.endpoints():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_an_endpoint_ends_by_itself_at_its_expiry(runner: ProcessRunner, spec: EndpointSpec) -> None:
    runner.start_endpoint(spec)
    plan = runner.root / "endpoints" / "r-1" / "process.json"
    plan.write_text(plan.read_text().replace('"deadline": ', '"deadline": 1, "was": '))
    wait_for_its_end(runner)
    assert runner.sweep(datetime.now(UTC)) == ["endpoint r-1 (had ended)"]
    assert runner.sweep(datetime.now(UTC)) == []


def test_a_plan_that_cannot_be_read_for_a_moment_costs_no_supervisor(runner: ProcessRunner, spec: EndpointSpec) -> None:
    runner.start_endpoint(spec)
    plan = runner.root / "endpoints" / "r-1" / "process.json"
    content = plan.read_text()
    plan.write_text("")
    time.sleep(1)  # it is read five times in that
    plan.write_text(content.replace('"deadline": ', '"deadline": 1, "was": '))
    wait_for_its_end(runner)


def test_an_expired_job_is_swept(runner: ProcessRunner, tmp_path: Path) -> None:
    job = TrainingJob(
        name="r-key-1",
        hyperparameters={"steps": "2000"},
        channels={"dataset": tmp_path},
        checkpoints="r-key",
        max_runtime_seconds=300,
        labels=labels(-1),
    )
    runner.start_job(job)
    assert runner.sweep(datetime.now(UTC)) == ["job r-key-1"]
    assert runner.sweep(datetime.now(UTC)) == []
