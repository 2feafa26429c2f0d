"""Writes the recipes into prefect.yaml: `python scripts/prefect_recipes.py`, after any change in recipes/.

A deployment's parameters must stand in prefect.yaml itself. So that a recipe has one source, its file, they are copied
here, between two marks; the deployments below refer to them. A test compares.
"""

from pathlib import Path

import yaml

FILE, RECIPES = Path("prefect.yaml"), Path("recipes")
BEGIN, END = "definitions:\n", "\ndeployments:\n"


def with_recipes(text: str) -> str:
    """The text of prefect.yaml with its definitions written anew."""
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return before + BEGIN + "".join(map(_definition, sorted(RECIPES.glob("*.yaml")))) + END + after


def _definition(path: Path) -> str:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    lines = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110).splitlines()
    return f"  {path.stem}: &{path.stem}\n" + "".join(f"    {line}\n" for line in lines)


if __name__ == "__main__":
    FILE.write_text(with_recipes(FILE.read_text(encoding="utf-8")), encoding="utf-8")
