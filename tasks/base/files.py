"""Where our files are, and how to write and digest them."""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock
from pydantic import BaseModel, ValidationError

import finetune_flows
from finetune_flows.tasks.base.errors import TryLater

log = logging.getLogger("finetune")
_LONGEST_LOCK_SECONDS = 2 * 3600.0  # whoever has a lock may be fetching a large model's weights
Model = TypeVar("Model", bound=BaseModel)

PACKAGE = Path(finetune_flows.__file__).parent
"""Folder of our code, in a checkout or installed: it contains `tasks`, `flows`, `training` and `containers`."""


def home() -> Path:
    """Folder of artefacts, jobs, endpoints and the registry: $FINETUNE_HOME, or ~/.finetune."""
    return Path(os.environ.get("FINETUNE_HOME") or Path.home() / ".finetune").absolute()


@contextmanager
def locked(path: Path, seconds: float = _LONGEST_LOCK_SECONDS) -> Iterator[None]:
    """Lets one process or thread at a time run the block. A process that is killed releases its lock.

    `seconds`: how long to wait for the one who has it.

    Raises:
        TryLater: another had it all the time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)  # a new one each time: threads exclude each other only if each has its own
    try:
        lock.acquire(timeout=seconds)
    except TimeoutError:
        busy = f"another command has been busy for {seconds:.0f} seconds; `fuser {path}` lists its process"
        raise TryLater(busy) from None
    try:
        yield
    finally:
        lock.release()


class Users:
    """Who uses something: every user holds a shared lock on `path`. A process that is killed releases it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def last(self) -> bool:
        """Whether nobody else uses it. Ask once, before `close`: the own lock may be lost by asking."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Ends the use."""
        self._file.close()


def read_model(path: Path, kind: type[Model]) -> Model | None:
    """The content of a JSON file of ours. None if there is no such file, or it is damaged, which is logged."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        reason = f"{error.error_count()} fields are wrong" if isinstance(error, ValidationError) else error.strerror
        log.warning("%s is damaged and counts as absent: %s", path, reason)
        return None


def link_or_copy(source: str, target: str) -> None:
    """A second name for a file where the file system permits it, else a copy. For `shutil.copytree`."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_json(path: Path, content: Any) -> None:
    """Writes to a temporary name, flushes to disk and renames: a reader sees the old file or the new one, never half."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        try:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())  # before the rename: a power cut must not leave the new name with half the content
            os.replace(file.name, path)
        except BaseException:  # a full disk, for example
            os.unlink(file.name)
            raise


def digest_files(folder: Path, skip: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Size in bytes and SHA-256 of each file below `folder`, by its relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: {"size": p.stat().st_size, "sha256": sha256_of(p)} for name, p in names.items() if name not in skip}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
