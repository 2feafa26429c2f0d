"""Paths and names that a person wrote. None of these functions opens what is there."""

import contextlib
import glob
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from finetune_flows.tasks.base.errors import FinetuneError


def directly_in(folder: Path, name: str) -> Path:
    """The place of this name in a folder. What is deleted by its name would lead out of the folder if that were a path.

    Raises:
        FinetuneError: the name is a path, or empty.
    """
    if name in ("", ".", "..") or not {"/", os.sep, "\0"}.isdisjoint(name):
        raise FinetuneError(f"{name!r} is no name: a path is not permitted here")
    return folder / name


def expanded(path: str) -> Path:
    """With the home folder for `~`. `~unknown` stays as it is, as in a shell."""
    return Path(os.path.expanduser(path))


def absence(path: Path) -> str | None:
    """Why there is neither a file nor a folder at this path; None: there is one."""
    if os.path.isfile(path) or os.path.isdir(path):
        return None
    if os.path.exists(path):
        return "it is no file but a pipe or a device"
    if os.path.islink(path):
        return f"it is a link to {os.readlink(path)}, which does not exist"
    return "there is no such file or folder"


def matching(pattern: Path) -> Iterator[Path]:
    """What a pattern such as `data/**/*.jsonl` matches, but for hidden files. `**` follows no links, which may lead in circles."""
    folder = before_pattern(pattern)
    if not os.path.isdir(folder):
        return
    with contextlib.suppress(ValueError):  # a pattern that pathlib cannot read, such as **.jsonl, matches nothing
        for path in folder.glob(str(pattern.relative_to(folder))):
            if not is_hidden(path.relative_to(folder)):
                yield path


def before_pattern(pattern: Path) -> Path:
    """The folder in which the search of a pattern begins."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)
    return Path(*fixed)


def is_hidden(path: Path) -> bool:
    """Whether the name of the file, or of a folder above it in this path, begins with a dot."""
    return any(part.startswith(".") for part in path.parts)
