"""Stages a model on this machine in another process, because the orchestrator never loads torch."""

import logging
import subprocess
import sys
from pathlib import Path

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.programs import child_environment, program

log = logging.getLogger("finetune.process")
_LONGEST_SECONDS = 6 * 3600  # for the largest models on a slow disk


def stage(source: Path, output: Path, chat_template: str | None, python: str = sys.executable) -> None:
    """Runs `python -m finetune_flows.training stage` and logs what it says.

    Raises:
        EnvironmentProblem: it failed; with its last line.
    """
    command = program("training", "stage", "--source", str(source), "--output", str(output), python=python)
    if chat_template:
        command += ["--chat-template", chat_template]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, env=child_environment(), check=False, timeout=_LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"{source} was not staged within {_LONGEST_SECONDS // 3600} hours") from None
    if result.returncode:
        words = (result.stderr or result.stdout).strip().splitlines()
        raise EnvironmentProblem(f"{source} cannot be staged: {words[-1] if words else 'the program printed nothing'}")
    for line in result.stdout.splitlines():
        log.info("%s: %s", source.name, line)
