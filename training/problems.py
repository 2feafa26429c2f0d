"""What goes wrong in a job, in the words of the person who reads its failure file."""

import contextlib
import traceback
from pathlib import Path

FAILURE_LIMIT = 1024  # characters; SageMaker shows no more of the failure file


class TrainingProblem(Exception):
    """A failure that the reader can act on: what happened, and what to change."""


def describe(error: BaseException) -> str:
    """What to do first, then where it happened; at most FAILURE_LIMIT characters."""
    if isinstance(error, TrainingProblem):
        return str(error)[:FAILURE_LIMIT]
    if _is_out_of_memory(error):
        return (
            "The GPU is out of memory. Lower training.batch_size (raise gradient_accumulation as much), lower "
            f"training.max_length, or set gradient_checkpointing: on.\n{error}"
        )[:FAILURE_LIMIT]
    head = f"{type(error).__name__}: {error}"[: FAILURE_LIMIT // 2]
    trace = "".join(traceback.format_tb(error.__traceback__))
    return head + "\n" + trace[-(FAILURE_LIMIT - len(head) - 1) :]


def write_failure(output: Path, text: str) -> None:
    """Leave `text` in the file that the platform reads the reason from, unless another process gave its reason first."""
    output.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), (output / "failure").open("x", encoding="utf-8") as file:
        file.write(text)


def _is_out_of_memory(error: BaseException) -> bool:
    return type(error).__name__ == "OutOfMemoryError" or "CUDA out of memory" in str(error)
