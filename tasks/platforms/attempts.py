"""Runs a job without ever paying for it twice: finds it by name, attaches to it, retries it under the next name."""

from collections.abc import Callable
from contextlib import closing

from finetune_flows.tasks.base.errors import JobFailed, TryLater
from finetune_flows.tasks.base.files import Users, home
from finetune_flows.tasks.platforms.contract import JobState, Platform, ReadLine, TrainingJob

MAX_ATTEMPTS = 50


def attempt_name(base: str, attempt: int) -> str:
    """`<recipe>-<step key, 12 characters>-<attempt>`. The name of an ended attempt is never used again."""
    return f"{base}-{attempt}"


def run_job(platform: Platform, job: TrainingJob, read_line: ReadLine, say: Callable[[str], None]) -> str:
    """Runs `job` to its end and returns the name of the attempt that completed.

    `job.name` is the base of the name. If an attempt is running, this attaches to it; if one completed, its model is used;
    after failed or stopped attempts, it starts the next one, which resumes from the shared checkpoints. If the wait ends
    early for any other reason than TryLater, Ctrl-C and cancellation included, the running attempt is stopped, unless
    another run on this machine follows it too.

    Raises:
        JobFailed: the attempt failed or was stopped from outside.
        TryLater: the platform could not be reached, and the attempt was left alone; or it had no capacity for the attempt.
    """
    with closing(Users(home() / "following" / f"{job.name}.lock")) as runs:
        return _run_job(platform, job, read_line, say, runs)


def _run_job(platform: Platform, job: TrainingJob, read_line: ReadLine, say: Callable[[str], None], runs: Users) -> str:
    name, state = _latest_attempt(platform, job.name)
    if state.status == "completed":
        say(f"job {name} has already completed: using its model")
        return name
    if state.status == "running":
        say(f"job {name} is already running: attached to it")
    else:
        platform.start_job(job.model_copy(update={"name": name}))
        say(f"job {name} started")
    try:
        state = platform.follow_job(name, read_line)
    except TryLater:
        raise  # the job itself may be fine: the next try attaches to it
    except BaseException:  # Prefect's cancellation is no Exception, and a job left behind would cost money
        if runs.last():
            say(f"stopping job {name}: it writes a checkpoint, from which the next run carries on")
            platform.stop_job(name)
        else:
            say(f"job {name} goes on: another run follows it")
        raise
    if state.passing:
        raise TryLater(f"job {name} {state.status}: {state.failure}")  # the next try is the next attempt
    if state.status != "completed":
        raise JobFailed(f"job {name} {state.status}: {state.failure}\n  Its log: {state.log}")
    return name


def _latest_attempt(platform: Platform, base: str) -> tuple[str, JobState]:
    """The first attempt that runs, completed or does not exist yet."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        name = attempt_name(base, attempt)
        state = platform.describe_job(name)
        if state.status in ("running", "completed", "absent"):
            return name, state
    last = attempt_name(base, MAX_ATTEMPTS)
    raise JobFailed(f"job {base} failed {MAX_ATTEMPTS} times and is not started again. Read the log of {last}")


def stop_attempts(platform: Platform, base: str) -> None:
    """Stops the running attempt, if there is one; it leaves a checkpoint."""
    name, state = _latest_attempt(platform, base)
    if state.status == "running":
        platform.stop_job(name)


def remove_attempts(platform: Platform, base: str) -> None:
    """Deletes what all attempts at a job left behind."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        name = attempt_name(base, attempt)
        if platform.describe_job(name).status == "absent":
            return
        platform.remove_job(name)
