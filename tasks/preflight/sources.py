"""Checks that the model, the rows and the server that a recipe names will do, before anything is downloaded or started."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from finetune_flows.tasks.artifacts.base_model import locate
from finetune_flows.tasks.base.errors import DatasetError, RecipeError
from finetune_flows.tasks.base.paths import absence
from finetune_flows.tasks.dataset.source import find_source
from finetune_flows.tasks.preflight.packages import not_installed
from finetune_flows.tasks.preflight.serving_images import unreadable
from finetune_flows.tasks.recipe import Recipe


def _model(recipe: Recipe) -> Iterator[str]:
    try:
        locate(recipe.model)
    except RecipeError as error:
        yield from (f"{error.subject}: {problem}" for problem in error.problems)


def _chat_template(recipe: Recipe) -> Iterator[str]:
    template = recipe.model.chat_template
    if template and template != "chatml" and not os.path.isfile(template):
        problem = absence(Path(template)) or "it is a folder"
        yield f"model.chat_template: {template}: {problem}; give the path of a Jinja file, or chatml"


def _rows(recipe: Recipe) -> Iterator[str]:
    yield from _found(recipe, "source", recipe.dataset.source)
    for number, mixed in enumerate(recipe.dataset.mix_with):
        yield from _found(recipe, f"mix_with[{number}].source", mixed.source, mixed.revision)


def _test_rows(recipe: Recipe) -> Iterator[str]:
    if recipe.dataset.test_source is not None:
        yield from _found(recipe, "test_source", recipe.dataset.test_source)


def _found(recipe: Recipe, field: str, source: str, revision: str | None = None) -> Iterator[str]:
    try:
        find_source(source, revision or recipe.dataset.revision, recipe.dataset.hub_split)
    except DatasetError as error:
        yield f"dataset.{field}: {error}"


SOURCE_CHECKS: tuple[Callable[[Recipe], Iterator[str]], ...] = (
    _model,
    _chat_template,
    _rows,
    _test_rows,
    unreadable,
    not_installed,
)
"""Each check yields the problems of one source or package. None of them asks the hub."""
