"""The model to export or to push: a recipe's champion, an earlier candidate, or a folder."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from finetune_flows.tasks.artifacts.remote import with_weights
from finetune_flows.tasks.base.errors import RegistryError
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.evaluation.registry import Entry, Registry
from finetune_flows.tasks.recipe import Recipe, parse_recipe

SHORTEST_DIGEST = 6


@dataclass(frozen=True)
class Subject:
    """A model in Hugging Face format."""

    name: str
    """The recipe's name, or the folder's."""
    weights: Path
    """Folder of safetensors, config.json, and the tokenizer with its chat template."""
    entry: Entry | None
    """The gate's record of this model: its recipe, test rows and scores. None for a folder that has none."""

    @cached_property
    def recipe(self) -> Recipe | None:
        """The recipe that it was judged with."""
        return parse_recipe(self.entry.recipe, f"the recipe of {self.name}") if self.entry else None

    @property
    def generates(self) -> bool:
        """True if the model generates text, False if it assigns labels."""
        config = json.loads((self.weights / "config.json").read_text(encoding="utf-8"))
        return not any(name.endswith("ForSequenceClassification") for name in config.get("architectures") or [])


def find_subject(model: str) -> Subject:
    """The model that `model` names: a recipe (its champion, else its latest candidate), a digest's first letters, or a folder.

    Raises:
        RegistryError: there is no such model, or it has no merged weights.
        ArtifactDamaged: its weights were downloaded, and differ from what the training program wrote.
    """
    entry = _of_recipe(model) or _of_digest(model)
    if entry is not None:
        return _subject(str(entry.recipe["name"]), entry.model.path, entry)
    folder = Path(model)
    if os.path.isdir(folder):  # unlike Path's method, it does not fail on a name that is too long
        known = {each.model.path.resolve(): each for each in _entries()}
        entry = known.get(folder.resolve()) or known.get(folder.resolve().parent)
        return _subject(str(entry.recipe["name"]) if entry else folder.resolve().name, folder, entry)
    recipes = ", ".join(Registry().recipes()) or "none yet"
    raise RegistryError(
        f"{model} is neither a recipe with a judged model ({recipes}), nor the first letters of a model's digest, nor a folder"
    )


def _of_recipe(name: str) -> Entry | None:
    if name not in Registry().recipes():
        return None
    record = Registry().read(name)
    return record.champion or (record.history[-1] if record.history else None)


def _of_digest(letters: str) -> Entry | None:
    if len(letters) < SHORTEST_DIGEST:
        return None
    return next((each for each in reversed(_entries()) if each.model.digest.startswith(letters)), None)


def _entries() -> list[Entry]:
    return [entry for recipe in Registry().recipes() for entry in Registry().read(recipe).history]


def _subject(name: str, folder: Path, entry: Entry | None) -> Subject:
    whole = with_weights(folder, home() / "fetched")
    weights = next((each for each in (whole / "model", whole) if (each / "config.json").is_file()), None)
    if weights is None:
        unmerged = (whole / "adapter").is_dir()
        why = (
            "only its adapter was kept: train it with another training.merge than none"
            if unmerged
            else "no config.json"
        )
        raise RegistryError(f"{folder} holds no model that can be exported ({why})")
    return Subject(name, weights, entry)
