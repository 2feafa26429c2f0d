"""Processes as endpoints and jobs, in what the contract's own tests do not see: each keeps its own deadline."""

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finetune_flows.tasks.base.files import locked
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


def test_a_job_that_is_being_started_is_not_swept(runner: ProcessRunner) -> None:
    folder = runner.root / "jobs" / "r-key-1"
    swept: list[str] = []
    sweeping = threading.Thread(target=lambda: swept.extend(runner.sweep(datetime.now(UTC))))
    with locked(runner.root / "jobs.lock"):  # as the run that starts it holds it
        (folder / "opt-ml").mkdir(parents=True)
        sweeping.start()
        sweeping.join(0.5)
        assert folder.exists()
        shutil.rmtree(folder)  # the run could not start it
    sweeping.join(30)
    assert swept == []


def test_what_a_job_without_a_record_left_is_swept(runner: ProcessRunner) -> None:
    folder = runner.root / "jobs" / "r-key-1"
    (folder / "opt-ml").mkdir(parents=True)
    (folder / "job.json").write_text("{")
    assert runner.sweep(datetime.now(UTC)) == ["job r-key-1"]
    assert not (folder / "opt-ml").exists()


def test_an_alias_is_deleted_only_between_its_changes(runner: ProcessRunner, spec: EndpointSpec) -> None:
    runner.point_alias("r", runner.start_endpoint(spec), spec)
    deleting = threading.Thread(target=runner.delete_alias, args=["r"])
    with locked(runner.root / "aliases" / ".r.lock"):  # as a promotion holds it
        deleting.start()
        deleting.join(0.5)
        assert [alias.name for alias in runner.aliases()] == ["r"]
    deleting.join(60)
    assert runner.aliases() == []
