"""Where our files are, and how to write and digest them."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

import finetune_flows

PACKAGE = Path(finetune_flows.__file__).parent
"""Folder of our code, in a checkout or installed: it contains `tasks`, `flows`, `training` and `containers`."""


def home() -> Path:
    """Folder of artefacts, jobs, endpoints and the registry: $FINETUNE_HOME, or ~/.finetune."""
    return Path(os.environ.get("FINETUNE_HOME") or Path.home() / ".finetune").absolute()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lets one process or thread at a time run the block. A process that is killed releases its lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):  # a new object each time: threads exclude each other only if each has its own
        yield


def write_json(path: Path, content: Any) -> None:
    """Writes to a temporary name, flushes to disk and renames: a reader sees the old file or the new one, never half."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())  # before the rename: a power cut must not leave the new name with half the content
    os.replace(file.name, path)


def digest_files(folder: Path, skip: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Size in bytes and SHA-256 of each file below `folder`, by its relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: {"size": p.stat().st_size, "sha256": sha256_of(p)} for name, p in names.items() if name not in skip}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
