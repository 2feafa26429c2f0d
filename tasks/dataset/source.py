"""Where rows come from: files here or at an address, folders and patterns of files, and data sets of Hugging Face."""

import os
import re
from pathlib import Path

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.base.paths import absence, expanded
from finetune_flows.tasks.dataset.files import Files, local_files, remote_files
from finetune_flows.tasks.dataset.hub import HubRows, SavedRows
from finetune_flows.tasks.dataset.readers import reader_of

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_ADDRESS = re.compile(r"[a-z][a-z0-9+]+://")

Source = Files | HubRows | SavedRows


def find_source(source: str, revision: str | None, split: str, label: str = "") -> Source:
    """The files or the data set that `dataset.source` or `dataset.test_source` names.

    Raises:
        DatasetError: there is no such file or folder, it holds no file in a known format, or a hub id has no revision.
        EnvironmentProblem, TryLater: as `remote_files` does.
    """
    if _ADDRESS.match(source):
        return remote_files(source, label)
    path = expanded(source)
    if os.path.isdir(path) and SavedRows.is_one(path):
        return SavedRows(path, split, label)
    if (files := local_files(source, label)) is not None:
        return files
    if not _HUB_ID.fullmatch(source) or reader_of(source):
        raise DatasetError(f"{source}: {absence(path)} (looked in {Path.cwd()})")
    if not revision:
        raise DatasetError(
            f"{source}: there is no such folder here. If it is a hub id, set dataset.revision to a commit, because a hub "
            f"data set can change. Its commits are listed at https://huggingface.co/datasets/{source}/commits/main"
        )
    return HubRows(source, revision, split, label)


def is_address(source: str) -> bool:
    """Whether rows are read from a server, such as s3:// or https://."""
    return bool(_ADDRESS.match(source))
