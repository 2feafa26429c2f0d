"""The recipes that come with the installed package, and copies of them with their rows."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.files import PACKAGE
from finetune_flows.tasks.base.values import Frozen


class ShippedRecipe(Frozen):
    """A recipe that comes with the package."""

    name: str
    problem: str
    """Kind of its problem, such as `text-to-sql`."""
    purpose: str
    """What it is for: the first sentence of the comment at its top."""
    path: Path


def shipped_recipes() -> list[ShippedRecipe]:
    """All recipes that come with the package, by name."""
    return [_described(path) for path in sorted((PACKAGE / "recipes").glob("*.yaml"))]


def shipped_recipe(name: str) -> ShippedRecipe:
    """The recipe with this name. Raises RecipeError, with the names there are."""
    recipes = {recipe.name: recipe for recipe in shipped_recipes()}
    if name not in recipes:
        raise RecipeError(name, [f"no recipe with this name comes with the package; there are {', '.join(recipes)}"])
    return recipes[name]


def copy_recipe(name: str, folder: Path) -> list[Path]:
    """Copies a recipe to `folder`/NAME.yaml and its rows to where it looks for them. Returns the new files.

    Raises:
        RecipeError: there is no such recipe, or one of the files exists already. Nothing is written then.
    """
    recipe = shipped_recipe(name)
    files = {folder / f"{name}.yaml": recipe.path}
    rows = rows_of(recipe)
    if rows:
        files[folder / rows.relative_to(PACKAGE)] = rows
    refuse_existing(files)
    for target, source in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return list(files)


def rows_of(recipe: ShippedRecipe) -> Path | None:
    """The shipped file of rows that a recipe names; None if it names a source elsewhere."""
    rows: Path = PACKAGE / yaml.safe_load(recipe.path.read_text(encoding="utf-8"))["dataset"]["source"]
    return rows if rows.is_file() else None


def refuse_existing(files: Iterable[Path]) -> None:
    """Raises RecipeError naming each of `files` that exists: a user's file is never overwritten."""
    existing = [path for path in files if path.exists()]
    if existing:
        raise RecipeError(
            "not written", [f"{path} exists already; move it, or choose another folder" for path in existing]
        )


def _described(path: Path) -> ShippedRecipe:
    text = path.read_text(encoding="utf-8")
    comment = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
    words = " ".join(line for line in comment[1:] if line)
    return ShippedRecipe(
        name=path.stem,
        problem=yaml.safe_load(text)["problem"]["kind"],
        purpose=re.split(r"(?<=\.)\s", words, maxsplit=1)[0],
        path=path,
    )
