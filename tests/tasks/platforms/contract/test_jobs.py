"""Jobs of any platform: found again by name, shared, followed by the next attempt, stopped with their checkpoint kept."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.base.errors import JobFailed
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.contract import Platform, TrainingJob
from tests.support.quick_work import a_job

Again = Callable[[], Platform]


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    return a_job(tmp_path)


def told(job: TrainingJob, **hyperparameters: str) -> TrainingJob:
    return job.model_copy(update={"hyperparameters": hyperparameters})


def first_attempt(job: TrainingJob, **changes: object) -> TrainingJob:
    return job.model_copy(update={"name": "r-key-1"} | changes)


def run(platform: Platform, job: TrainingJob) -> tuple[str, list[str]]:
    lines: list[str] = []
    return run_job(platform, job, lines.append, lines.append), lines


def result(platform: Platform, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((platform.job_output(name) / "training.json").read_text(encoding="utf-8"))
    return content


def test_a_job_sees_the_contract_and_is_followed_line_by_line(
    platform: Platform, again: Again, job: TrainingJob
) -> None:
    assert platform.describe_job("r-key-1").status == "absent"
    name, lines = run(platform, job)
    assert name == "r-key-1"
    assert [line for line in lines if line.startswith("step=")] == [f"step={n} steps=2 loss=1.0" for n in (1, 2)]
    seen = result(platform, name)
    assert (seen["arguments"], seen["channels"], seen["rows"]) == (["train"], ["dataset"], "rows")
    assert run(again(), job) == (name, ["job r-key-1 has already completed: using its model"])
    assert platform.describe_job("r-key-2").status == "absent"


def test_a_failed_attempt_is_told_in_its_own_words_and_followed_by_the_next(
    platform: Platform, job: TrainingJob
) -> None:
    with pytest.raises(JobFailed, match=r"job r-key-1 failed: (?s:.*)the rows are no good"):
        run(platform, told(job, fail="the rows are no good"))
    state = platform.describe_job("r-key-1")
    assert (state.status, state.passing) == ("failed", False)
    assert run(platform, job)[0] == "r-key-2"


def test_those_who_want_one_job_share_it(platform: Platform, again: Again, job: TrainingJob) -> None:
    names: list[str] = []
    each = [again() for _ in range(3)]
    threads = [threading.Thread(target=lambda p=p: names.append(run(p, told(job, steps="10"))[0])) for p in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["r-key-1"] * 3
    assert platform.describe_job("r-key-2").status == "absent"
    assert result(platform, "r-key-1")["started_at"] == 0, "one run of the program"


def test_a_follower_that_is_slower_than_another_gets_the_same_result(
    platform: Platform, again: Again, job: TrainingJob
) -> None:
    """The quicker one has saved what the job left, and removed the rest, before the slower one has read the last line."""
    attempt, quicker = first_attempt(told(job, steps="3")), again()
    platform.start_job(attempt)

    def read_line(line: str) -> None:
        if line.startswith("step=3"):
            end = time.monotonic() + 60
            while quicker.describe_job(attempt.name).status != "completed" and time.monotonic() < end:
                time.sleep(0.1)

    assert platform.follow_job(attempt.name, read_line).status == "completed"


def test_one_who_comes_later_finds_the_job_running(platform: Platform, again: Again, job: TrainingJob) -> None:
    job = told(job, steps="40")
    platform.start_job(first_attempt(job))
    platform.start_job(first_attempt(job))
    name, lines = run(again(), job)
    assert lines[0] == "job r-key-1 is already running: attached to it"
    assert [line for line in lines if line.startswith("step=")] == [f"step={n} steps=40 loss=1.0" for n in range(1, 41)]
    assert result(platform, name)["started_at"] == 0


def test_an_interrupted_wait_stops_the_job_and_the_next_attempt_goes_on_from_its_checkpoint(
    platform: Platform, job: TrainingJob
) -> None:
    def interrupt_at_five(line: str) -> None:
        if line.startswith("step=5 "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(platform, told(job, steps="2000"), interrupt_at_five, print)
    state = platform.describe_job("r-key-1")
    assert (state.status, state.failure) == ("stopped", "it was stopped before its end")
    name, _ = run(platform, told(job, steps="50", seconds="0"))
    assert name == "r-key-2"
    assert result(platform, name)["started_at"] >= 5
    platform.remove_job(name)
    platform.start_job(first_attempt(job, name="r-key-3"))
    platform.follow_job("r-key-3", print)
    assert result(platform, "r-key-3")["started_at"] == 0, "a job that was removed left no checkpoint"


def test_an_interrupted_wait_leaves_the_job_to_another_run_that_follows_it(
    platform: Platform, again: Again, job: TrainingJob
) -> None:
    names: list[str] = []
    follower = threading.Thread(target=lambda: names.append(run(again(), told(job, steps="40"))[0]))

    def interrupt_at_twenty(line: str) -> None:
        if line.startswith("step=1 "):
            follower.start()
        if line.startswith("step=20 "):
            raise KeyboardInterrupt

    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_job(platform, told(job, steps="40"), interrupt_at_twenty, said.append)
    assert said[-1] == "job r-key-1 goes on: another run follows it"
    follower.join()
    assert names == ["r-key-1"]


def test_a_job_ends_by_itself_at_its_longest_running_time(platform: Platform, job: TrainingJob) -> None:
    """Nobody watches."""
    platform.start_job(first_attempt(told(job, steps="1000"), max_runtime_seconds=2))
    give_up = time.monotonic() + 120
    while (state := platform.describe_job("r-key-1")).status == "running":
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert state.status == "stopped"
    assert str(state.failure).startswith("it reached its longest running time")
