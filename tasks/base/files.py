"""Where our files lie, and how they are written and digested."""

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
"""Our own code, in a checkout and installed alike: `tasks`, `flows`, `training` and `containers` lie in it."""


def home() -> Path:
    """Where artefacts, jobs, endpoints and the registry live: $FINETUNE_HOME, or ~/.finetune."""
    return Path(os.environ.get("FINETUNE_HOME") or Path.home() / ".finetune").absolute()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process or thread at a time. The lock goes with whoever holds it, killed or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):  # a new one each time: threads exclude each other only by locks of their own
        yield


def write_json(path: Path, content: Any) -> None:
    """Written to a temporary name, flushed to disk and renamed: a reader sees the old file or the new one."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def digest_files(folder: Path, skip: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Size in bytes and sha256 of each file below `folder`, by its relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: {"size": p.stat().st_size, "sha256": sha256_of(p)} for name, p in names.items() if name not in skip}


def sha256_of(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
