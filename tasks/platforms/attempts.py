"""Jobs that are never paid for twice: found by name, taken up where they stand, tried again under the next name."""

from collections.abc import Callable

from finetune_flows.tasks.base.errors import JobFailed, TryLater
from finetune_flows.tasks.platforms.contract import JobState, Platform, ReadLine, TrainingJob

MAX_ATTEMPTS = 50


def attempt_name(base: str, attempt: int) -> str:
    """`<recipe>-<step key, 12>-<attempt>`: a name that ended is never used again."""
    return f"{base}-{attempt}"


def run_job(platform: Platform, job: TrainingJob, read_line: ReadLine, say: Callable[[str], None]) -> str:
    """Runs `job` to its end and returns the name of the attempt that completed.

    `job.name` is the base of the name. An attempt that runs is attached to, one that completed is used, one that failed
    or was stopped is followed by the next, which resumes from the shared checkpoints. On any way out of the wait,
    Ctrl-C and cancellation included, the running attempt is stopped.

    Raises:
        JobFailed: the attempt that was followed failed or was stopped from outside.
        TryLater: the platform could not be reached, and the attempt was left as it is; or it had no capacity for it.
    """
    name, state = _latest_attempt(platform, job.name)
    if state.status == "completed":
        say(f"job {name} had completed: its model is used")
        return name
    if state.status == "running":
        say(f"job {name} is running: attached to it")
    else:
        platform.start_job(job.model_copy(update={"name": name}))
        say(f"job {name} started")
    try:
        state = platform.follow_job(name, read_line)
    except TryLater:
        raise  # the job itself may be well: the next try attaches to it
    except BaseException:
        platform.stop_job(name)
        raise
    if state.passing:
        raise TryLater(f"job {name} {state.status}: {state.failure}")  # the next try is the next attempt
    if state.status != "completed":
        raise JobFailed(f"job {name} {state.status}: {state.failure}\n  its log: {state.log}")
    return name


def _latest_attempt(platform: Platform, base: str) -> tuple[str, JobState]:
    """The first attempt that runs, completed or does not exist yet."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        name = attempt_name(base, attempt)
        state = platform.describe_job(name)
        if state.status in ("running", "completed", "absent"):
            return name, state
    raise JobFailed(f"job {base} failed {MAX_ATTEMPTS} times; see the log of {attempt_name(base, MAX_ATTEMPTS)}")


def stop_attempts(platform: Platform, base: str) -> None:
    """Stops the attempt that runs, if one does; it leaves a checkpoint."""
    name, state = _latest_attempt(platform, base)
    if state.status == "running":
        platform.stop_job(name)


def remove_attempts(platform: Platform, base: str) -> None:
    """Deletes what all attempts at a job left."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        name = attempt_name(base, attempt)
        if platform.describe_job(name).status == "absent":
            return
        platform.remove_job(name)
