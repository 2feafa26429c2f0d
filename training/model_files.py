"""The files of a model that anybody may have written, checked before anything is made of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from finetune_flows.training.problems import TrainingProblem

INDEX = "model.safetensors.index.json"
LONGEST = 300  # characters of a library's message


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns every error of the block into a TrainingProblem of one line: libraries raise anything about a damaged file."""
    try:
        yield
    except TrainingProblem:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:LONGEST]
        raise TrainingProblem(f"{what} cannot be read: {type(error).__name__}: {words}") from error


def read_object(path: Path) -> dict[str, Any]:
    """The content of a JSON file. Raises TrainingProblem when it is none, or no object."""
    with reading(str(path)):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TrainingProblem(f"{path} holds no JSON object")
    return content


def check_weights(folder: Path) -> None:
    """Read the heads of all safetensors files, which say how long each file is. Opens no weights.

    Raises TrainingProblem when a file is damaged or missing, or when the folder has no safetensors with weights.
    """
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise TrainingProblem(
            f"{folder} holds no safetensors. Convert pickled weights (.bin) first: they can run code when they are loaded."
        )
    for path in found:
        _check_file(path)
    if (folder / INDEX).is_file():
        _check_index(folder)


def _check_file(path: Path) -> None:
    try:
        with safe_open(path, framework="pt") as file:
            kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  # it is no dictionary
    except (SafetensorError, OSError) as error:
        raise TrainingProblem(f"{path} is damaged, or no safetensors file: {error}") from error
    if not any("F" in kind for kind in kinds):  # F32, BF16, F8_E4M3
        raise TrainingProblem(f"{path} holds no weights, only {', '.join(sorted(kinds)) or 'nothing'}")


def _check_index(folder: Path) -> None:
    names = read_object(folder / INDEX).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise TrainingProblem(f"{folder / INDEX} does not name the files of the weights")
    for name in sorted(set(names.values())):
        if Path(name).name != name:
            raise TrainingProblem(f"{folder / INDEX} names a file elsewhere: {name}")
        if not (folder / name).is_file():
            raise TrainingProblem(f"{folder / INDEX} names {name}, which is missing")
