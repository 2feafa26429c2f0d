"""Base models from the hub, a folder or a Python package. Each is staged in the store once per machine."""

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from finetune_flows.tasks.artifacts.hub import hub_errors, resolve_commit
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.files import digest_files, sha256_of
from finetune_flows.tasks.base.paths import absence, expanded
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.recipe import ModelSection

STEP_VERSION = 1
# Weights only as safetensors: a pickled checkpoint (*.bin, *.pt) can run code when it is loaded.
_WANTED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.model", "*.txt", "*.py", "LICENSE*"]


Convert = Callable[[Path, Path, str | None], None]
"""Converts a GGUF file or a folder (first) to a model folder (second) with a chat template: `Platform.convert_model`."""


def stage(section: ModelSection, key: str, store: Store, convert: Convert) -> Reference:
    """Puts the base model into the store: safetensors, config, and tokenizer with a chat template.

    Raises:
        RecipeError: there is no such model, or it has no chat template and the recipe names none.
        EnvironmentProblem: the conversion or the download failed.
        TryLater: the hub cannot be reached.
    """
    with store.write("base-model", key) as draft:
        # Next to the draft and not in it: everything in the draft becomes part of the artefact.
        beside = draft.path.with_name(draft.path.name + "-download")
        try:
            convert(_reachable(section, beside), draft.path, section.chat_template)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return store.require("base-model", key)


def staging_key(section: ModelSection) -> str:
    """The step key of the staged model, from the commit on the hub or the bytes on this machine."""
    source = locate(section)
    if source is None:
        identity: dict[str, object] = {"hub": section.source, "commit": _commit(section)}
    elif source.is_file():
        # Before "splits", numbers got other token ids than the model was trained on: those copies must not be found.
        identity = {"sha256": sha256_of(source), "splits": "llama.cpp"}
    else:
        identity = {"files": digest_files(source)}
    template = section.chat_template
    if template and template != "chatml":
        identity["template"] = Path(template).read_text(encoding="utf-8")
    return step_key("base-model", STEP_VERSION, identity | {"chat_template": template})


def locate(section: ModelSection) -> Path | None:
    """The file or folder on this machine; None when the source is a hub id.

    Raises:
        RecipeError: the path does not exist, the package is not installed, or a hub id has no revision.
    """
    source = section.source
    if source.startswith("package:"):
        return _in_package(source)
    path = expanded(source)
    if os.path.isdir(path) or (os.path.isfile(path) and path.suffix == ".gguf"):
        return path.absolute()
    if os.path.isfile(path):
        raise RecipeError("model.source", [f"{source}: a model is a folder or a .gguf file"])
    if os.path.lexists(path) or source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise RecipeError("model.source", [f"{source}: {absence(path)} (a hub id looks like owner/name)"])
    if not section.revision:
        problem = f"{source} looks like a hub id: set model.revision to a commit, branch or tag, or correct the path"
        raise RecipeError("model.revision", [problem])
    return None


def _in_package(source: str) -> Path:
    name, _, file = source.removeprefix("package:").partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        problem = (
            f"{source}: the Python package {name} is not installed here; `make install` installs the demo's package"
        )
        raise RecipeError("model.source", [problem])
    folder = Path(spec.submodule_search_locations[0])
    if not ((folder / file).is_file() or (folder / file / "config.json").is_file()):
        weights = [*folder.glob("*.gguf"), *(config.parent for config in folder.glob("*/config.json"))]
        found = ", ".join(sorted(each.name for each in weights)) or "no GGUF file and no model folder"
        raise RecipeError("model.source", [f"{source}: the package holds {found}"])
    return folder / file


def _reachable(section: ModelSection, folder: Path) -> Path:
    """The model where the platform can read it: downloaded or copied into `folder`, or where the recipe says."""
    source = locate(section)
    if source is None:
        _download(section, folder)
        return folder
    if not section.source.startswith("package:"):
        return source
    # A flow may run in a container, and Docker's engine, on the machine outside, sees nothing of it but our home.
    if source.is_dir():
        return Path(shutil.copytree(source, folder / source.name))
    folder.mkdir()
    return Path(shutil.copy(source, folder))


def _download(section: ModelSection, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    advice = f"Next: if the model is gated, put a token into the environment variable {section.token_variable}"
    with hub_errors(f"cannot download {section.source}@{section.revision}", advice):
        snapshot_download(
            section.source,
            revision=_commit(section),
            local_dir=folder,
            allow_patterns=_WANTED,
            token=os.environ.get(section.token_variable) or None,
        )


def _commit(section: ModelSection) -> str:
    return resolve_commit("model", section.source, section.revision or "", section.token_variable)
