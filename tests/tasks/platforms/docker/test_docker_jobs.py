"""Containers as jobs, in what the contract's own tests do not see: isolation, limits, and that none is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import EnvironmentProblem, JobFailed
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.contract import TrainingJob
from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.sections.platforms import DockerPlatform
from tests.support.quick_work import a_job, labels

pytestmark = pytest.mark.docker


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    return a_job(tmp_path)


def told(job: TrainingJob, **hyperparameters: str) -> TrainingJob:
    return job.model_copy(update={"hyperparameters": hyperparameters})


def run(runner: DockerRunner, job: TrainingJob) -> tuple[str, list[str]]:
    lines: list[str] = []
    return run_job(runner, job, lines.append, lines.append), lines


def ours(runner: DockerRunner) -> list[str]:
    found = runner.client.containers.list(all=True, filters={"label": f"finetune.home={runner.root}"})
    return [container.name for container in found]


def wait_for_step(runner: DockerRunner, folder: str = "r-key") -> None:
    give_up = time.monotonic() + 60
    while not (runner.root / "checkpoints" / folder / "step").exists():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_what_staging_says_is_passed_on(runner: DockerRunner, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source, output = tmp_path / "base", tmp_path / "output"
    source.mkdir()
    output.mkdir()
    with caplog.at_level("INFO", logger="finetune.docker"):
        runner.convert_model(source, output, None)
    assert "base: the chat template writes today's date" in caplog.messages
    assert not [message for message in caplog.messages if "a library warns" in message]


def test_a_job_sees_the_contract_and_nothing_more(runner: DockerRunner, job: TrainingJob) -> None:
    name, _ = run(runner, job)
    seen = json.loads((runner.job_output(name) / "training.json").read_text())
    assert seen == {
        "arguments": ["train"],
        "channels": ["dataset"],
        "rows": "rows",
        "writable": ["/tmp/x", "/dev/shm/x"],
        "network": False,
        "capabilities": "0000000000000000",
        "user": os.getuid(),
        "started_at": 0,
    }
    assert (runner.job_output(name) / "training.json").stat().st_uid == os.getuid()
    assert ours(runner) == [], "the container went when the job was collected"
    assert "step=2" in (runner.root / "jobs" / name / "log.txt").read_text()


def test_out_of_memory_is_told_with_what_to_change(runner: DockerRunner, job: TrainingJob) -> None:
    with pytest.raises(JobFailed, match=r"ran out of its 0\.25 GB: lower training\.batch_size .* platform\.memory_gb"):
        run(runner, told(job, allocate_mb="600"))


CHILD = """
import sys
from pathlib import Path
from finetune_flows.tasks.platforms.contract import TrainingJob
from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.sections.platforms import DockerPlatform
section, job = DockerPlatform.model_validate_json(sys.argv[1]), TrainingJob.model_validate_json(sys.argv[2])
run_job(DockerRunner(section, Path(sys.argv[3])), job, print, print)
"""


def start_elsewhere(runner: DockerRunner, job: TrainingJob) -> "subprocess.Popen[bytes]":
    arguments = [runner.section.model_dump_json(), job.model_dump_json(), str(runner.root)]
    reset = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], preexec_fn=reset, stdout=subprocess.DEVNULL)


def test_one_who_was_killed_finds_the_job_running(runner: DockerRunner, job: TrainingJob) -> None:
    job = told(job, steps="60")
    process = start_elsewhere(runner, job)
    wait_for_step(runner)
    process.kill()
    process.wait()
    name, lines = run(runner, job)
    assert name == "r-key-1"
    assert lines[0] == "job r-key-1 is already running: attached to it"
    assert json.loads((runner.job_output(name) / "training.json").read_text())["started_at"] == 0, "one container"


def test_one_who_is_interrupted_leaves_no_container(runner: DockerRunner, job: TrainingJob) -> None:
    process = start_elsewhere(runner, told(job, steps="2000"))
    wait_for_step(runner)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert ours(runner) == []
    assert (runner.root / "checkpoints/r-key/step").exists()


def test_a_missing_image_is_told_before_anything_is_made(runner: DockerRunner, job: TrainingJob) -> None:
    section = runner.section.model_copy(update={"training_image": "finetune-test/no-such-image:1"})
    with pytest.raises(EnvironmentProblem, match="image finetune-test/no-such-image:1 is not on this machine"):
        DockerRunner(section, runner.root).start_job(job)
    assert not (runner.root / "jobs").exists()


def test_without_a_gpu_the_next_step_is_told_and_no_container_stays(runner: DockerRunner, job: TrainingJob) -> None:
    section = runner.section.model_copy(update={"gpus": "all"})
    if "nvidia" in runner.client.info().get("Runtimes", {}):
        pytest.skip("this engine has a GPU")
    with pytest.raises(EnvironmentProblem, match="NVIDIA Container Toolkit"):
        DockerRunner(section, runner.root).start_job(job)
    assert ours(runner) == []
    assert runner.describe_job("r-key").status == "absent"


def test_an_expired_job_is_swept_with_its_container(runner: DockerRunner, job: TrainingJob) -> None:
    runner.start_job(told(job, steps="2000").model_copy(update={"name": "r-key-1", "labels": labels(-1)}))
    assert runner.sweep(datetime.now(UTC)) == ["job r-key-1"]
    assert runner.sweep(datetime.now(UTC)) == []
    assert ours(runner) == []


def test_homes_that_share_an_engine_do_not_meet(runner: DockerRunner, job: TrainingJob, tmp_path: Path) -> None:
    other = DockerRunner(runner.section, tmp_path / "another")
    runner.start_job(told(job, steps="100").model_copy(update={"name": "r-key-1"}))
    assert other.describe_job("r-key-1").status == "absent"
    assert run(other, job)[0] == "r-key-1"
    runner.stop_job("r-key-1")


def test_no_engine_is_told_with_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from finetune_flows.tasks.platforms.docker.engine import connect

    connect.cache_clear()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(EnvironmentProblem, match=r"(?s)no Docker engine answers.*--platform process"):
        _ = DockerRunner(DockerPlatform(), tmp_path).client
    connect.cache_clear()
