"""Prepare: stage the base model; check and split the rows and write them as Parquet. Both are cached by their inputs."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from prefect import task

from finetune_flows.tasks.artifacts import base_model
from finetune_flows.tasks.artifacts.hub import resolve_commit
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.base.errors import DatasetError, RecipeError
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.caching import cached_by
from finetune_flows.tasks.dataset.build import build_dataset, find_sources
from finetune_flows.tasks.dataset.first_look import look_at_rows
from finetune_flows.tasks.dataset.frozen import count_new_rows, found_split, write_test_source
from finetune_flows.tasks.dataset.source import is_address
from finetune_flows.tasks.evaluation.registry import Entry
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.progress import Update, log, progress
from finetune_flows.tasks.recipe import DatasetSection, ModelSection, Platform, Recipe, parse_recipe
from finetune_flows.tasks.retrying import RETRIES

DATASET_VERSION = 1


def _base_key(section: ModelSection, platform: Platform) -> str:
    return base_model.staging_key(section)


@task(name="stage-base-model", **cached_by(_base_key), **RETRIES)
def stage_base_model(section: ModelSection, platform: Platform) -> Reference:
    """The base model, downloaded or converted once per machine."""
    store, key = Store(), base_model.staging_key(section)
    found = store.find("base-model", key)
    if found is not None:
        return found
    log.info("staging the base model %s (once for each machine)", section.source)
    with progress("stage the base model", "staging-progress"):
        return base_model.stage(section, key, store, platform_of(platform).convert_model)


@task(name="look-at-rows", **RETRIES)
def look_first(recipe: Recipe) -> None:
    """Finds bad rows before the base model is staged, which takes minutes the first time. After that, prepare is first.

    Raises:
        DatasetError: as `prepare_dataset`.
    """
    if Store().find("base-model", base_model.staging_key(recipe.model)) is not None:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            look_at_rows(_pinned(recipe.dataset), recipe.problem, Path(folder))
        except DatasetError as error:
            raise DatasetError(_keep_quarantine(str(error), Path(folder), recipe.name)) from error


def dataset_key(section: DatasetSection, problem: Problem, base: Reference) -> str:
    """Key of a data set: the content of its source, its settings, and the base model, whose tokenizer counts tokens."""
    # At their defaults these are left out, so that the keys of earlier versions stay valid.
    unchanged = section.unset_later()
    # The digests of the content replace its path and revision: the same rows at another place give the same data set.
    # max_quarantined can only stop a run, and judging comes later: neither changes the data set.
    left_out = {"source", "test_source", "revision", "max_quarantined"} | unchanged
    content = [source.digests() for source in find_sources(_pinned(section))]
    settings: dict[str, object] = {
        "dataset": section.model_dump(mode="json", exclude=left_out),
        "problem": problem.model_dump(mode="json", exclude={"judging", *problem.unset_later()}),
        "content": content,
    }
    if section.mix_with:
        settings["weights"] = [mixed.weight for mixed in section.mix_with]
    return step_key("dataset", DATASET_VERSION, settings, [base.digest])


@task(name="prepare-dataset", **cached_by(dataset_key), **RETRIES)
def prepare_dataset(section: DatasetSection, problem: Problem, base: Reference) -> Reference:
    """Turns rows into Parquet files for training, validation and test; see tasks.dataset.

    Raises:
        DatasetError: the rows cannot be used. The message names the file that lists the bad ones.
    """
    store, key = Store(), dataset_key(section, problem, base)
    found = store.find("dataset", key)
    if found is not None:
        return found
    with store.write("dataset", key) as draft, progress("prepare", "dataset-progress") as update:
        draft.parents.append(base.digest)
        try:
            build_dataset(_pinned(section), problem, base.path, draft.path, _shown(update))
        except DatasetError as error:
            raise DatasetError(_keep_quarantine(str(error), draft.path, key[:12])) from error
    return store.require("dataset", key)


def freeze_test(recipe: Recipe, champion: Entry) -> Recipe:
    """The recipe with the champion's test rows as its test source, whatever its source holds now.

    Rows that share a group with the test stay out of training. If the champion's recipe named a test source without
    test_groups_apart, only rows that ask the same as a test row do.

    Raises:
        RecipeError: the recipe's problem differs from the champion's, so the test rows do not fit.
    """
    before = parse_recipe(champion.recipe, f"the recipe of {champion.model.digest[:8]}")
    if before.problem.model_dump(exclude={"judging"}) != recipe.problem.model_dump(exclude={"judging"}):
        raise RecipeError(
            recipe.name,
            ["problem: differs from the champion's, so its test rows no longer fit; start again with finetune run"],
        )
    file = home() / "frozen" / f"{recipe.name}.jsonl"
    columns = recipe.dataset.slice_column, recipe.dataset.split_column
    write_test_source(champion.dataset.path, recipe.problem.row_of, columns[0], file, columns[1])
    apart = before.dataset.test_source is None or before.dataset.test_groups_apart
    changes: dict[str, object] = {"test_source": str(file), "test_groups_apart": apart}
    if recipe.dataset.split_by == "auto" and (found := found_split(champion.dataset.path)):
        changes["split_by"] = found
    return recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update=changes)})


def new_rows(before: Reference, after: Reference) -> int:
    """Number of training rows of `after` that are not in `before`."""
    return count_new_rows(before.path, after.path)


def _pinned(section: DatasetSection) -> DatasetSection:
    """The section with its hub revision resolved to a commit."""
    mixed = [
        each.model_copy(update={"revision": _pinned_revision(each.source, each.revision)}) for each in section.mix_with
    ]
    revision = _pinned_revision(section.source, section.revision)
    return section.model_copy(update={"revision": revision, "mix_with": tuple(mixed)})


def _pinned_revision(source: str, revision: str | None) -> str | None:
    if revision is None or is_address(source) or Path(source).expanduser().exists():
        return revision
    return resolve_commit("dataset", source, revision)


def _shown(update: Update) -> Callable[[str, int], None]:
    return lambda words, rows: update(0, 0, f"{words} {rows:,} rows")


def _keep_quarantine(message: str, draft: Path, name: str) -> str:
    """Copies the list of bad rows of a refused data set, whose draft is deleted, and names the copy in the message."""
    listed = draft / "quarantine.jsonl"
    if not listed.exists():
        return message
    kept = home() / "quarantine" / f"{name}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(listed, kept)
    return message.replace(str(listed), str(kept))
