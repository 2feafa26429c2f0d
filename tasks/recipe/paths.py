"""Paths in a recipe file count from the folder of the file, as its reader expects."""

import glob
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.paths import matching

log = logging.getLogger("finetune.recipe")
_FIELDS = {"dataset": ("source", "test_source"), "model": ("source", "chat_template")}
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+]*:")  # an address, or package:...


def from_folder(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a recipe file in `folder`, with paths that can be opened from the working directory.

    A path that exists from the working directory only stays as it is; with --debug, the log says so.
    """
    copied = {name: dict(value) if isinstance(value, dict) else value for name, value in content.items()}
    for section, field, path in _paths(copied):
        if _exists(folder / path):
            section[field] = str(folder / path)
        elif folder.absolute() != Path.cwd() and _exists(Path(path)):
            log.debug("%s: %s counts from the working directory; %s does not exist", field, path, folder / path)
    return copied


def _paths(content: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Sections of a recipe with those of their fields that hold a relative path."""
    sections: list[tuple[Any, tuple[str, ...]]] = [(content.get(name), fields) for name, fields in _FIELDS.items()]
    dataset = content.get("dataset")
    if isinstance(dataset, dict) and isinstance(dataset.get("mix_with"), list):
        dataset["mix_with"] = [dict(each) if isinstance(each, dict) else each for each in dataset["mix_with"]]
        sections += [(each, ("source",)) for each in dataset["mix_with"]]
    for section, fields in sections:
        for field in fields if isinstance(section, dict) else ():
            path = section.get(field)
            if isinstance(path, str) and path and not (path[0] in "/~" or _ELSEWHERE.match(path)):
                yield section, field, path


def _exists(path: Path) -> bool:
    return os.path.exists(path) or (glob.has_magic(str(path)) and any(matching(path)))
