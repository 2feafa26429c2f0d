"""Failures of a job, worded for the person who reads its failure file."""

import contextlib
import traceback
from pathlib import Path

FAILURE_LIMIT = 1024  # characters; SageMaker shows only the beginning of the failure file


class TrainingProblem(Exception):
    """A failure that the user can fix. The message says what happened and what to change."""


def describe(error: BaseException) -> str:
    """The failure as text of at most FAILURE_LIMIT characters: the message, then the end of the traceback if needed."""
    if isinstance(error, TrainingProblem):
        return str(error)[:FAILURE_LIMIT]
    if _is_out_of_memory(error):
        return (
            "The GPU is out of memory. Lower training.batch_size (and raise training.gradient_accumulation by the same "
            f"factor), lower training.max_length, or set training.gradient_checkpointing: on.\n{error}"
        )[:FAILURE_LIMIT]
    head = f"{type(error).__name__}: {error}"[: FAILURE_LIMIT // 2]
    trace = "".join(traceback.format_tb(error.__traceback__))
    return head + "\n" + trace[-(FAILURE_LIMIT - len(head) - 1) :]


def write_failure(output: Path, text: str) -> None:
    """Write `text` to the file from which the platform reads the reason of a failure."""
    output.mkdir(parents=True, exist_ok=True)
    # Mode x, because the first process to fail has the real reason: the others fail because of it.
    with contextlib.suppress(FileExistsError), (output / "failure").open("x", encoding="utf-8") as file:
        file.write(text)


def _is_out_of_memory(error: BaseException) -> bool:
    return type(error).__name__ == "OutOfMemoryError" or "CUDA out of memory" in str(error)
