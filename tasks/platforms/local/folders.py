"""The folders of SageMaker's container contract that a job finds under /opt/ml, and the state that it leaves there."""

from pathlib import Path

from finetune_flows.tasks.base.files import write_json
from finetune_flows.tasks.platforms.contract import JobState, TrainingJob


def lay_out(root: Path, job: TrainingJob) -> None:
    """Writes input/config and makes the empty folders below `root`. The platform adds channels and checkpoints."""
    for part in ("input/config", "input/data", "model", "output/data"):
        (root / part).mkdir(parents=True)
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
    modes = {name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"} for name in job.channels}
    write_json(root / "input/config/hyperparameters.json", job.hyperparameters)
    write_json(root / "input/config/inputdataconfig.json", modes)
    write_json(root / "input/config/resourceconfig.json", hosts)


def is_complete(root: Path) -> bool:
    """Whether the program is done: training.json is the last file that it writes."""
    return (root / "model" / "training.json").exists()


def ended_state(root: Path, exit_code: int | None, reason: str | None, log: Path) -> JobState:
    """The state of an ended job. `exit_code` is None if unknown; `reason` is deadline, stopped, another message or None."""
    if is_complete(root) and exit_code in (0, None):
        return JobState(status="completed", log=str(log))
    if reason == "deadline":
        return JobState(status="stopped", failure="it reached its longest running time", log=str(log))
    if exit_code == 0 or reason == "stopped":
        return JobState(status="stopped", failure="it was stopped before its end", log=str(log))
    return JobState(status="failed", failure=reason or _failure(root, exit_code, log), log=str(log))


def last_line(log: Path) -> str:
    """The last line of a program's output, at most 500 characters."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        return "no output"
    return lines[-1][:500] if lines else "no output"


def _failure(root: Path, exit_code: int | None, log: Path) -> str:
    words = root / "output" / "failure"
    if words.exists():
        return words.read_text(encoding="utf-8", errors="replace").strip()
    if exit_code is None or exit_code < 0:
        return "it was killed" + ("" if exit_code is None else f" by signal {-exit_code}")
    return f"exit code {exit_code}: {last_line(log)}"
