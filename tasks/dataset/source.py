"""Where rows come from: files in four formats, folders of such files, and data sets of the Hugging Face hub."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.errors import DatasetError, TryLater
from finetune_flows.tasks.dataset.readers import READERS, SourceRow

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Files:
    """Local files. Reports name them relative to `folder`, after `label`."""

    folder: Path
    paths: tuple[Path, ...]
    label: str

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by name."""
        return {self._name(path): _sha256(path) for path in self.paths}

    def rows(self) -> Iterator[SourceRow]:
        """The rows of all files, one after the other. Raises DatasetError when a file cannot be read at all."""
        for path in self.paths:
            try:
                yield from READERS[path.suffix.lower()](path, self._name(path))
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error

    def _name(self, path: Path) -> str:
        return self.label + path.relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class HubRows:
    """One split of a hub data set at a pinned revision, streamed: it is neither held in memory nor copied to disk."""

    name: str
    revision: str
    split: str
    label: str

    def digests(self) -> dict[str, str]:
        """The revision identifies the content: it is a commit of the hub."""
        return {self.label + self.name: f"revision {self.revision}, split {self.split}"}

    def rows(self) -> Iterator[SourceRow]:
        """The rows, numbered from 1. Raises TryLater when the hub is out of reach, DatasetError when it refuses."""
        try:
            for number, row in enumerate(_stream(self.name, self.revision, self.split), 1):
                yield SourceRow(self.label + self.name, number, row)
        except ConnectionError as error:
            raise TryLater(f"{self.name}: the Hugging Face hub cannot be reached: {error}") from error
        except (OSError, ValueError) as error:  # datasets and huggingface_hub raise subclasses of these two
            raise DatasetError(
                f"{self.name} at revision {self.revision}, split {self.split}: cannot be read from the hub: {error}. "
                "Check the id, the revision and the split, log in with `hf auth login` if it is gated, "
                "or download it and give the folder as dataset.source"
            ) from error


Source = Files | HubRows


def find_source(source: str, revision: str | None, split: str, label: str = "") -> Source:
    """The files or the hub data set that `dataset.source` or `dataset.test_source` names.

    Raises:
        DatasetError: there is no such file or folder, it holds no file in a known format, or a hub id has no revision.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        found = sorted(
            p for p in path.rglob("*") if p.suffix.lower() in READERS and not _is_hidden(p.relative_to(path))
        )
        if not found:
            raise DatasetError(f"{source}: the folder holds no {', '.join(READERS)} file")
        return Files(path, tuple(found), label)
    if path.is_file():
        if path.suffix.lower() not in READERS:
            raise DatasetError(f"{source}: unknown file format; rows are read from {', '.join(READERS)} files")
        return Files(path.parent, (path,), label)
    if not _HUB_ID.fullmatch(source) or path.suffix.lower() in READERS:
        raise DatasetError(f"{source}: there is no such file or folder (looked in {Path.cwd()})")
    if not revision:
        raise DatasetError(
            f"{source}: there is no such folder here. If it is a hub id, set dataset.revision to a commit, because a hub "
            f"data set can change. Its commits are listed at https://huggingface.co/datasets/{source}/commits/main"
        )
    return HubRows(source, revision, split, label)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stream(name: str, revision: str, split: str) -> Iterator[Mapping[str, Any]]:
    from datasets import load_dataset

    yield from load_dataset(name, revision=revision, split=split, streaming=True)
