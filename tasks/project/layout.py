"""A new project: a recipe for the chosen problem, rows to try it with, Prefect's deployments, and .gitignore."""

import re
from pathlib import Path

import yaml

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.files import PACKAGE
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.project.deployments import with_recipes
from finetune_flows.tasks.project.shipped import ShippedRecipe, refuse_existing, rows_of, shipped_recipe
from finetune_flows.tasks.recipe import parse_recipe
from finetune_flows.tasks.recipe.partial import models_in
from finetune_flows.tasks.recipe.recipe import Recipe

TEMPLATES = PACKAGE / "tasks" / "project" / "templates"


def starters() -> dict[str, ShippedRecipe]:
    """For each kind of problem, the shipped recipe that a new project starts from."""
    problems = [each for each in models_in(Recipe.model_fields["problem"].annotation) if issubclass(each, Problem)]
    return {each.model_fields["kind"].default: shipped_recipe(each.starter) for each in problems if each.starter}


def lay_out(folder: Path, problem: str, name: str) -> list[Path]:
    """Writes a project that runs as it is, on a CPU and without a download. Returns its files, the recipe first.

    `problem`: kind of the problem; `name`: name of the recipe, and so of its file and its endpoint.

    Raises:
        RecipeError: the name is not one for a recipe, the problem has no starter, or a file exists already. Then
            nothing was written.
    """
    starter = starters().get(problem)
    if starter is None:
        raise RecipeError("problem", [f"{problem} is not one of {', '.join(starters())}"])
    rows = rows_of(starter)
    assert rows is not None, "a starter has rows of its own"
    recipe = folder / f"{name}.yaml"
    text = _renamed(starter.path.read_text(encoding="utf-8"), name)
    parse_recipe(yaml.safe_load(text), name)
    deployments = (TEMPLATES / "prefect.yaml").read_text(encoding="utf-8").replace("NAME", name)
    contents = {
        recipe: text,
        folder / "rows.jsonl": rows.read_text(encoding="utf-8"),
        folder / ".gitignore": (TEMPLATES / "gitignore").read_text(encoding="utf-8"),
        folder / "prefect.yaml": with_recipes(deployments, {name: yaml.safe_load(text)}),
    }
    refuse_existing(contents)
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        path.write_text(content, encoding="utf-8")
    return list(contents)


def name_for(folder: Path) -> str:
    """A name for a recipe, made from a folder's: lower case, with hyphens for everything else."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower())[:40].strip("-") or "project"


def _renamed(text: str, name: str) -> str:
    """A shipped recipe as the project's own: its name, its rows, and the command in its first line."""
    text = re.sub(r"\A# finetune run \S+", f"# finetune run {name}.yaml", text)
    text = re.sub(r"^name: \S+", f"name: {name}", text, flags=re.MULTILINE)
    return re.sub(r"^( +source: )examples/\S+( *#.*)?$", r"\1rows.jsonl", text, flags=re.MULTILINE)
