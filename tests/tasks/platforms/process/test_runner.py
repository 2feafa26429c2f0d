"""Real jobs and real servers as processes, with a tiny model."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from finetune_flows.tasks.base.errors import EndpointFailed, JobFailed
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels, TrainingJob
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.sections.stages import ServingSection
from tests.support.tiny_model import build_tiny_model, write_tiny_dataset

SETTINGS = {"method": "full", "max_steps": "2", "batch_size": "2", "max_length": "256"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("rows"), 12)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessRunner]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    runner = ProcessRunner(root=tmp_path / "home")
    yield runner
    for endpoint in runner.endpoints():
        runner.delete_endpoint(endpoint.name)
    for folder in (runner.root / "jobs").glob("*"):
        runner.stop_job(folder.name)


def labels(seconds: float = 600) -> Labels:
    return Labels(recipe="r", step_key="k", flow_run="f", expires_at=datetime.now(UTC) + timedelta(seconds=seconds))


def job(model: Path, dataset: Path, **settings: str) -> TrainingJob:
    return TrainingJob(
        name="r-key",
        hyperparameters=SETTINGS | settings,
        channels={"model": model, "dataset": dataset},
        checkpoints="r-key",
        max_runtime_seconds=300,
        labels=labels(),
    )


def spec(model: Path, **changes: object) -> EndpointSpec:
    plain = {"name": "r-1", "model": model, "model_digest": "d1", "serving": ServingSection(startup_minutes=2)}
    return EndpointSpec.model_validate(plain | {"labels": labels()} | changes)


def run(runner: ProcessRunner, job: TrainingJob) -> tuple[str, list[str]]:
    lines: list[str] = []
    return run_job(runner, job, lines.append, lines.append), lines


def test_a_failed_attempt_is_followed_by_the_next_and_a_completed_one_is_used(
    runner: ProcessRunner, model: Path, dataset: Path, tmp_path: Path
) -> None:
    broken = job(model, tmp_path / "no rows here")
    with pytest.raises(JobFailed, match=r"r-key-1 failed: .*train\.parquet"):
        run(runner, broken)
    assert runner.describe_job("r-key-1").status == "failed"

    name, lines = run(runner, job(model, dataset))
    assert name == "r-key-2"
    assert (runner.job_output(name) / "training.json").exists()
    assert any(line.startswith("step=2 steps=2") for line in lines)

    again, said = run(runner, job(model, dataset))
    assert again == "r-key-2"
    assert said == ["job r-key-2 had completed: its model is used"]
    assert runner.describe_job("r-key-3").status == "absent"


def test_two_who_want_one_job_share_it(runner: ProcessRunner, model: Path, dataset: Path) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(run(runner, job(model, dataset))[0])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["r-key-1"] * 3


def test_a_job_that_is_stopped_is_not_taken_for_completed(runner: ProcessRunner, model: Path, dataset: Path) -> None:
    long = job(model, dataset, max_steps="100000", epochs="100", checkpoint_every="1")
    runner.start_job(long.model_copy(update={"name": "r-key-1"}))
    log = runner.root / "jobs/r-key-1/log.txt"
    while "step=" not in log.read_text():
        assert runner.describe_job("r-key-1").status == "running"
        time.sleep(0.1)
    runner.stop_job("r-key-1")
    state = runner.describe_job("r-key-1")
    assert (state.status, state.failure) == ("stopped", "it was stopped before its end")
    assert list((runner.root / "checkpoints/r-key").iterdir())


def test_an_endpoint_answers_is_found_again_and_is_deleted(runner: ProcessRunner, model: Path) -> None:
    endpoint = runner.start_endpoint(spec(model))
    assert httpx.get(f"{endpoint.url}/ping").status_code == 200
    assert ProcessRunner(root=runner.root).endpoints() == [endpoint]

    later = runner.start_endpoint(spec(model, labels=labels(1200)))
    assert later.url == endpoint.url
    assert later.labels.expires_at > endpoint.labels.expires_at

    other = runner.start_endpoint(spec(model, model_digest="d2"))
    assert other.url != endpoint.url, "another model under the name replaces the server"
    assert runner.delete_endpoint("r-1")
    assert not runner.delete_endpoint("r-1")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{other.url}/ping")


def test_an_endpoint_ends_by_itself_at_its_expiry(runner: ProcessRunner, model: Path) -> None:
    runner.start_endpoint(spec(model))
    folder = runner.root / "endpoints" / "r-1"
    plan = (folder / "process.json").read_text()
    (folder / "process.json").write_text(plan.replace('"deadline": ', '"deadline": 1, "was": '))
    limit = time.monotonic() + 60
    while runner.endpoints():
        assert time.monotonic() < limit
        time.sleep(0.1)
    assert runner.sweep(datetime.now(UTC)) == ["endpoint r-1 (had ended)"]
    assert runner.sweep(datetime.now(UTC)) == []


def test_a_plan_that_cannot_be_read_for_a_moment_costs_no_supervisor(runner: ProcessRunner, model: Path) -> None:
    runner.start_endpoint(spec(model))
    plan = runner.root / "endpoints" / "r-1" / "process.json"
    content = plan.read_text()
    plan.write_text("")
    time.sleep(1)  # it is read five times in that
    plan.write_text(content.replace('"deadline": ', '"deadline": 1, "was": '))
    limit = time.monotonic() + 60
    while runner.endpoints():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_sweep_stops_what_has_expired_and_leaves_the_rest(runner: ProcessRunner, model: Path) -> None:
    runner.start_endpoint(spec(model, name="old"))
    runner.start_endpoint(spec(model, name="new", labels=labels(5000)))
    assert runner.sweep(datetime.now(UTC) + timedelta(seconds=1000)) == ["endpoint old (expired)"]
    assert [endpoint.name for endpoint in runner.endpoints()] == ["new"]


def test_an_endpoint_that_cannot_start_is_told_with_its_last_words(runner: ProcessRunner, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EndpointFailed, match=r"ended while it was starting: .*log\.txt"):
        runner.start_endpoint(spec(tmp_path / "empty"))
    assert runner.endpoints() == []
