"""Data sets of Hugging Face's library: on the hub, or in a folder written by `save_to_disk`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.errors import DatasetError, TryLater
from finetune_flows.tasks.dataset.columns import classes_of, has_structs, plain_values
from finetune_flows.tasks.dataset.files import Files, opened
from finetune_flows.tasks.dataset.readers import File, SourceRow, arrow_row, reader_of


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
            files = self._files()
            rows = Files(files, (None,) * len(files)).rows() if files else self._streamed()
            for number, row in enumerate(rows, 1):
                yield SourceRow(self.label + self.name, number, row.values, row.problem, row.raw)
        except ConnectionError as error:
            raise TryLater(f"{self.name}: the Hugging Face hub cannot be reached: {error}") from error
        except (OSError, ValueError) as error:  # datasets and huggingface_hub raise subclasses of these two
            raise DatasetError(
                f"{self.name} at revision {self.revision}, split {self.split}: cannot be read from the hub: {error}. "
                "Check the id, the revision and the split, log in with `hf auth login` if it is gated, "
                "or download it and give the folder as dataset.source"
            ) from error

    def _files(self) -> tuple[File, ...]:
        """The split's files, if all are of a format that is read here. They give the rows that they give from a disk:
        the library would read a label 007 as 7, None as null, and 2024-01-31 as a date.
        """
        from datasets import load_dataset_builder
        from fsspec import url_to_fs

        builder = load_dataset_builder(self.name, revision=self.revision)
        places = [str(place) for place in (builder.config.data_files or {}).get(self.split, ())]
        if not all(reader_of(place) for place in places):
            return ()
        classes = classes_of(builder.info.features.to_dict()) if builder.info.features else None
        found = []
        for place in places:
            system, path = url_to_fs(place)
            found.append(File(path.rsplit("/", 1)[-1], place, partial(opened, system, path), classes))
        return tuple(found)

    def _streamed(self) -> Iterator[SourceRow]:
        """The rows as the library reads them, for files of other formats."""
        from datasets import load_dataset

        rows = load_dataset(self.name, revision=self.revision, split=self.split, streaming=True)
        classes = classes_of(rows.features.to_dict()) if rows.features else {}
        for row in rows:
            yield SourceRow(self.name, 0, plain_values(row, classes, structs=False))


@dataclass(frozen=True)
class SavedRows:
    """One split of a data set in a folder that `save_to_disk` wrote."""

    folder: Path
    split: str
    label: str

    @staticmethod
    def is_one(folder: Path) -> bool:
        """Whether `save_to_disk` wrote this folder."""
        return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()

    @property
    def _part(self) -> Path:
        """The folder of the split. Raises DatasetError when the data set has no such split."""
        if not (self.folder / "dataset_dict.json").is_file():
            return self.folder
        part = self.folder / self.split
        if not (part / "state.json").is_file():
            found = ", ".join(sorted(each.parent.name for each in self.folder.glob("*/state.json"))) or "none"
            raise DatasetError(f"{self.folder}: has no split {self.split}, but {found}; set dataset.hub_split")
        return part

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file of rows, and of the one with the names of classes."""
        files = [*sorted(self._part.glob("*.arrow")), self._part / "dataset_info.json"]
        return {self.label + path.relative_to(self.folder).as_posix(): _sha256(path) for path in files}

    def rows(self) -> Iterator[SourceRow]:
        """The rows, numbered from 1. Raises DatasetError when the folder is damaged."""
        from datasets import load_from_disk

        try:
            saved: Any = load_from_disk(str(self._part))
            classes, number = classes_of(saved.features.to_dict()), 0
            structs = has_structs(saved.features.arrow_schema)
            for table in saved.with_format("arrow").iter(batch_size=1024):
                for batch in table.to_batches():
                    for index in range(len(batch)):
                        number += 1
                        yield arrow_row(batch, index, self.label + self.folder.name, number, classes, structs)
        except (OSError, ValueError, KeyError) as error:
            raise DatasetError(f"{self.folder}: cannot be read as a data set of save_to_disk: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
