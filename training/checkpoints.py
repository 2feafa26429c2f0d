"""Checkpoints that are either complete or absent: each is written under a temporary name and then renamed.

Renaming is enough on one disk. But SageMaker copies the folder to S3 file by file while it changes, and a spot
interruption can end the copying at any time: the restored folder may lack files, or mix files of two checkpoints. So each
checkpoint lists its files with their digests, and the best weights that belong to it. A checkpoint that differs from its
list is skipped, and training resumes from the one before.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune_flows.training.problems import TrainingProblem

STATE = "checkpoint"  # everything that a restart needs
BEST = "best"  # only the weights of the best validation
WRITING = ".writing"
CONTENTS = "contents.json"


@contextmanager
def written_whole(folder: Path, identity: dict[str, Any], writer: bool = True) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends without an error.

    It has the same name inside `.writing`, because transformers chooses the name of a checkpoint itself. With several
    processes, all get the same folder, and only the `writer` creates and renames it.
    """
    temporary = folder.parent / WRITING / folder.name
    if writer:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    _wait_for_all()
    yield temporary
    _wait_for_all()
    if writer:
        (temporary / CONTENTS).write_text(json.dumps(_contents(temporary, identity, folder.parent)), encoding="utf-8")
        _flush(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
        _sync(folder.parent)
    _wait_for_all()


def latest(checkpoints: Path, kind: str = STATE) -> Path | None:
    """The intact checkpoint with the highest step; None when there is none. Ignores incomplete and mixed ones."""
    newest_first = sorted(_finished(checkpoints, kind), key=_step, reverse=True)
    return next((folder for folder in newest_first if _is_whole(folder)), None)


def resume_point(checkpoints: Path) -> Path | None:
    """The checkpoint to resume from; None to start from the beginning.

    Deletes everything newer: it is damaged, or training will reach those steps again.
    """
    found = latest(checkpoints)
    reached = _step(found) if found else -1
    newer = [folder for kind in (STATE, BEST) for folder in checkpoints.glob(f"{kind}-*") if _step(folder) > reached]
    for folder in newer:
        shutil.rmtree(folder, ignore_errors=True)
    if newer:
        at = f"step {reached}" if found else "the start"
        names = ", ".join(sorted(folder.name for folder in newer))
        print(f"resuming from {at}: deleted {names}, which are damaged or newer than it", flush=True)
    return found


def drop_old(checkpoints: Path, kind: str, keep: int) -> None:
    """Delete all but the `keep` newest checkpoints of a kind, and unfinished ones."""
    old = sorted(_finished(checkpoints, kind), key=_step)[:-keep]
    for folder in [*old, checkpoints / WRITING]:
        shutil.rmtree(folder, ignore_errors=True)


def check_same_run(checkpoint: Path, identity: dict[str, Any]) -> None:
    """Raise TrainingProblem when the settings, rows, task or start of `checkpoint` differ from `identity`."""
    theirs = _read(checkpoint)["identity"]
    differing = [name for name in identity if identity[name] != theirs.get(name)]
    if differing:
        raise TrainingProblem(
            f"{checkpoint} belongs to another run: {', '.join(differing)} differ. Delete {checkpoint.parent} to start from the beginning."
        )


def _contents(folder: Path, identity: dict[str, Any], checkpoints: Path) -> dict[str, Any]:
    """The files of `folder` with their digests, and the name of the best weights that a restart from it needs."""
    best = max(_finished(checkpoints, BEST), key=_step, default=None)
    files = {path.relative_to(folder).as_posix(): _digest(path) for path in folder.rglob("*") if path.is_file()}
    return {"identity": identity, "files": files, "best": best.name if best else None}


def _finished(checkpoints: Path, kind: str) -> list[Path]:
    """Checkpoints with a list of contents. They were finished on some disk, but a copy may be damaged."""
    return [folder for folder in checkpoints.glob(f"{kind}-*") if (folder / CONTENTS).is_file()]


def _is_whole(folder: Path) -> bool:
    """Whether every file is unchanged, and the best weights that belong to the checkpoint are intact, too."""
    try:
        contents = _read(folder)
        same = all(_digest(folder / name) == digest for name, digest in contents["files"].items())
    except (OSError, ValueError):
        return False
    is_state, best = folder.name.startswith(f"{STATE}-"), contents["best"]
    return same and (not is_state or best is None or _is_whole(folder.parent / best))


def _read(folder: Path) -> dict[str, Any]:
    contents: dict[str, Any] = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    return contents


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _wait_for_all() -> None:
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def _flush(folder: Path) -> None:
    """Write the data to disk before the rename: otherwise a power cut may leave a renamed folder of empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
