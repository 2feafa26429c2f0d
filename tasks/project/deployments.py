"""Recipes inside prefect.yaml.

A deployment's parameters must stand in prefect.yaml itself. So that a recipe has one source, its file, recipes are copied
between two marks of that file; the deployments below refer to them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from finetune_flows.tasks.base.errors import RecipeError

BEGIN, END = "definitions:\n", "\ndeployments:\n"


def with_recipes(text: str, recipes: Mapping[str, Any]) -> str:
    """The text of prefect.yaml with `recipes` (content by name) as its definitions.

    Raises:
        RecipeError: the text has no place for them.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RecipeError("prefect.yaml", ["has no `definitions:` before `deployments:`, where the recipes belong"])
    return before + BEGIN + "".join(_definition(name, recipes[name]) for name in sorted(recipes)) + END + after


def update_prefect_file(folder: Path) -> list[str]:
    """Copies the recipes in `folder` into its prefect.yaml; other definitions there stay. Returns those that changed.

    Nothing happens where there is no prefect.yaml or no recipe.

    Raises:
        RecipeError: prefect.yaml has no place for recipes.
    """
    file, recipes = folder / "prefect.yaml", recipes_in(folder)
    if not recipes or not file.exists():
        return []
    text = file.read_text(encoding="utf-8")
    before = (yaml.safe_load(text) or {}).get("definitions") or {}
    changed = [name for name, content in recipes.items() if before.get(name) != content]
    if changed:
        file.write_text(with_recipes(text, before | recipes), encoding="utf-8")
    return changed


def recipes_in(folder: Path) -> dict[str, Any]:
    """Content of the recipes in a folder, by the name of their file. Other YAML files are left out."""
    contents = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}
    return {
        name: each for name, each in contents.items() if isinstance(each, dict) and {"problem", "dataset"} <= set(each)
    }


def _definition(name: str, content: object) -> str:
    lines = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110).splitlines()
    return f"  {name}: &{name}\n" + "".join(f"    {line}\n" for line in lines)
