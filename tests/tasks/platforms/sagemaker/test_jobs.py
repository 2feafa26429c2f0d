"""The platform's jobs when AWS is at its worst: one job, the right next step, the program's own words."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from finetune_flows.tasks.artifacts.remote import read_remote
from finetune_flows.tasks.base.errors import EnvironmentProblem, JobFailed, TryLater
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.contract import TrainingJob
from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner
from tests.support.quick_work import a_job
from tests.support.sagemaker.emulator import Emulator
from tests.tasks.platforms.sagemaker.platform_jobs import (
    IMAGE,
    push_image,
    runner,
    section,
    step_in,
    use_quick_programs,
)


@pytest.fixture(autouse=True)
def _quick(emulator: Emulator) -> None:
    use_quick_programs(emulator)


def run(platform: SageMakerRunner, job: TrainingJob) -> tuple[str, list[str]]:
    lines: list[str] = []
    return run_job(platform, job, lines.append, lines.append), lines


def jobs(emulator: Emulator) -> dict[str, str]:
    return {name: job.status for name, job in sorted(emulator.jobs.table.rows.items())}


def result(platform: SageMakerRunner, name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((platform.job_output(name) / "training.json").read_text())
    return content


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_the_image_that_trained_is_on_record_by_its_digest(emulator: Emulator, tmp_path: Path) -> None:
    platform = runner(tmp_path)
    name, _ = run(platform, a_job(tmp_path))
    remote = lambda: read_remote(platform.job_output(name))  # noqa: E731
    assert (found := remote()) is not None
    assert (found.facts["TrainingImage"], found.facts["TrainingImageDigest"]) == (IMAGE, "unknown")
    digest = push_image(emulator, "contract", "1")
    assert (found := remote()) is not None
    assert found.facts["TrainingImageDigest"] == digest


def test_data_that_is_there_is_not_sent_again(emulator: Emulator, tmp_path: Path) -> None:
    run(runner(tmp_path), a_job(tmp_path))
    sent = len([call for call in emulator.record.calls if call.operation.startswith("PUT ")])
    run(runner(tmp_path), a_job(tmp_path).model_copy(update={"name": "r-other"}))
    assert len([call for call in emulator.record.calls if call.operation.startswith("PUT ")]) == sent


def test_long_settings_reach_the_program_though_aws_refuses_them(emulator: Emulator, tmp_path: Path) -> None:
    run(runner(tmp_path), a_job(tmp_path, system_prompt="two\nlines", other="it's", long="x" * 5000))
    (call,) = emulator.record.of("CreateTrainingJob")
    assert call.payload["HyperParameters"] == {"other": "it's"}
    assert b'"system_prompt": "two\\nlines"' in b"".join(emulator.record.texts())


@pytest.mark.parametrize("times", [1, 4])
def test_a_throttled_create_makes_one_job(emulator: Emulator, tmp_path: Path, times: int) -> None:
    """boto3 itself tries again; what it gives up is TryLater, which the task tries again."""
    emulator.faults.throttle("CreateTrainingJob", times)
    platform, job = runner(tmp_path), a_job(tmp_path)
    if times > 2:
        with pytest.raises(TryLater, match="Throttling"):
            run(platform, job)
    assert run(platform, job)[0] == "r-key-1"
    assert jobs(emulator) == {"r-key-1": "Completed"}


@pytest.mark.parametrize("times", [1, 9])
def test_a_lost_response_to_create_makes_one_job(emulator: Emulator, tmp_path: Path, times: int) -> None:
    emulator.faults.lose_response("CreateTrainingJob", times)
    platform, job = runner(tmp_path), a_job(tmp_path)
    if times > 2:
        with pytest.raises(TryLater):
            run(platform, job)
    name, lines = run(platform, job)
    assert name == "r-key-1"
    assert jobs(emulator) == {"r-key-1": "Completed"}
    assert times == 1 or lines[0] in (
        "job r-key-1 is already running: attached to it",
        "job r-key-1 has already completed: using its model",
    )


CHILD = """
import sys, time
from pathlib import Path
from finetune_flows.tasks.platforms.contract import TrainingJob
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner
from finetune_flows.tasks.recipe import SageMakerPlatform
section, job = SageMakerPlatform.model_validate_json(sys.argv[1]), TrainingJob.model_validate_json(sys.argv[2])
run_job(SageMakerRunner(section, Path(sys.argv[3]), sleep=lambda _: time.sleep(0.05)), job, print, print)
"""


def start_elsewhere(tmp_path: Path, job: TrainingJob) -> "subprocess.Popen[bytes]":
    arguments = [section().model_dump_json(), job.model_dump_json(), str(tmp_path / "sagemaker")]
    reset = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], preexec_fn=reset, stdout=subprocess.DEVNULL)


def test_one_who_was_killed_in_the_wait_finds_the_job_running(emulator: Emulator, tmp_path: Path) -> None:
    job = a_job(tmp_path, steps="100")
    process = start_elsewhere(tmp_path, job)
    wait_for(lambda: step_in(emulator) > 0)
    process.kill()
    process.wait()
    platform = runner(tmp_path)
    name, lines = run(platform, job)
    assert lines[0] == "job r-key-1 is already running: attached to it"
    assert jobs(emulator) == {"r-key-1": "Completed"}
    assert result(platform, name)["started_at"] == 0, "one run of the program"
    log = (tmp_path / "sagemaker/jobs/r-key-1/log.txt").read_text().splitlines()
    assert [line for line in log if line.startswith("step=")] == [f"step={n} steps=100 loss=1.0" for n in range(1, 101)]


def test_one_who_is_interrupted_stops_the_job_and_the_next_attempt_goes_on(emulator: Emulator, tmp_path: Path) -> None:
    process = start_elsewhere(tmp_path, a_job(tmp_path, steps="2000"))
    wait_for(lambda: step_in(emulator) > 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert jobs(emulator) == {"r-key-1": "Stopped"}
    done = step_in(emulator)
    platform = runner(tmp_path)
    name, _ = run(platform, a_job(tmp_path, steps=str(done + 1)))
    assert (name, result(platform, name)["started_at"]) == ("r-key-2", done)


@pytest.mark.parametrize("notice", [True, False])
def test_a_spot_interruption_resumes_at_the_checkpoints_step(emulator: Emulator, tmp_path: Path, notice: bool) -> None:
    emulator.faults.interrupt_spot(at_step=12, notice=notice)
    platform = runner(tmp_path, spot=True)
    name, _ = run(platform, a_job(tmp_path, steps="40"))
    started = result(platform, name)["started_at"]
    assert isinstance(started, int)
    assert 12 <= started < 40 if notice else 0 < started <= 12
    assert jobs(emulator) == {"r-key-1": "Completed"}, "the same job: SageMaker itself starts it again"


def test_without_capacity_the_next_instance_type_is_taken(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.out_of_capacity("ml.g5.2xlarge")
    platform = runner(tmp_path, training_instances=["ml.g5.2xlarge", "ml.g6.2xlarge"])
    with pytest.raises(TryLater, match="CapacityError"):
        run(platform, a_job(tmp_path))
    assert run(platform, a_job(tmp_path))[0] == "r-key-2"
    types = [call.payload["ResourceConfig"]["InstanceType"] for call in emulator.record.of("CreateTrainingJob")]
    assert types == ["ml.g5.2xlarge", "ml.g6.2xlarge"]


def test_a_quota_is_named_and_not_tried_again(emulator: Emulator, tmp_path: Path) -> None:
    emulator.account.quotas["ml.g5.2xlarge for training job usage"] = 0
    with pytest.raises(EnvironmentProblem, match=r"(?s)ml\.g5\.2xlarge for training job usage.*servicequotas"):
        run(runner(tmp_path), a_job(tmp_path))
    assert len(emulator.record.of("CreateTrainingJob")) == 1
    assert jobs(emulator) == {}


def test_a_failed_program_is_told_with_its_last_lines(emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match=r"(?s)job r-key-1 failed: .*the rows are no good.*step=1 steps=2"):
        run(runner(tmp_path), a_job(tmp_path, fail="the rows are no good"))


def test_a_model_in_s3_is_found_from_another_home_and_its_checkpoints_go(emulator: Emulator, tmp_path: Path) -> None:
    platform = runner(tmp_path)
    name, _ = run(platform, a_job(tmp_path))
    assert run(runner(tmp_path / "another home"), a_job(tmp_path))[0] == name
    assert jobs(emulator) == {"r-key-1": "Completed"}
    platform.remove_job(name)
    assert step_in(emulator) == 0, "a finished job keeps no checkpoints"


def test_a_missing_role_is_told_before_a_job_is_there(emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="Could not assume role"):
        run(runner(tmp_path, role="no-such-role"), a_job(tmp_path))
    assert jobs(emulator) == {}


def test_every_request_carries_the_labels(emulator: Emulator, tmp_path: Path) -> None:
    run(runner(tmp_path, tags={"team": "search"}), a_job(tmp_path))
    (call,) = emulator.record.of("CreateTrainingJob")
    tags = {tag["Key"]: tag["Value"] for tag in call.payload["Tags"]}
    assert tags["team"] == "search"
    assert (tags["finetune:recipe"], tags["finetune:step_key"], tags["finetune:flow_run"]) == ("r", "k", "f")
