"""Folders that are either complete or not there: a checkpoint is written under a temporary name and renamed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.problems import TrainingProblem

STATE = "checkpoint"  # all that a restart needs
BEST = "best"  # the weights alone
WRITING = ".writing"
IDENTITY = "identity.json"


@contextmanager
def written_whole(folder: Path, identity: dict[str, Any], writer: bool = True) -> Iterator[Path]:
    """A temporary folder, of the same name in `.writing`, that becomes `folder` when the block ends without an error.

    With several processes all of them get the same folder, and only the `writer` prepares and renames it.
    """
    temporary = folder.parent / WRITING / folder.name
    if writer:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    _wait_for_all()
    yield temporary
    _wait_for_all()
    if writer:
        (temporary / IDENTITY).write_text(json.dumps(identity), encoding="utf-8")
        _flush(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
        _sync(folder.parent)
    _wait_for_all()


def latest(checkpoints: Path, kind: str = STATE) -> Path | None:
    """The complete checkpoint of the highest step. What a killed process left half-written is not considered."""
    return max(_complete(checkpoints, kind), key=_step, default=None)


def drop_old(checkpoints: Path, kind: str, keep: int) -> None:
    """Delete all but the `keep` newest checkpoints of a kind, and what was left half-written."""
    old = sorted(_complete(checkpoints, kind), key=_step)[:-keep]
    for folder in [*old, checkpoints / WRITING]:
        shutil.rmtree(folder, ignore_errors=True)


def check_same_run(checkpoint: Path, identity: dict[str, Any]) -> None:
    """Raise TrainingProblem when `checkpoint` was made with other settings, rows or base model than `identity`."""
    theirs = json.loads((checkpoint / IDENTITY).read_text(encoding="utf-8"))
    differing = [name for name in identity if identity[name] != theirs.get(name)]
    if differing:
        raise TrainingProblem(
            f"{checkpoint} belongs to another run: {', '.join(differing)} differ. Delete {checkpoint.parent} to start anew."
        )


def _complete(checkpoints: Path, kind: str) -> list[Path]:
    return [folder for folder in checkpoints.glob(f"{kind}-*") if (folder / IDENTITY).is_file()]


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _wait_for_all() -> None:
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def _flush(folder: Path) -> None:
    """Data before names: otherwise a power cut may leave a renamed folder of empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
