"""Writes the recipes into prefect.yaml: `python scripts/prefect_recipes.py`, after any change in recipes/. A test compares."""

from pathlib import Path

from finetune_flows.tasks.project.deployments import recipes_in, with_recipes

FILE = Path("prefect.yaml")


def current(text: str) -> str:
    """The text of prefect.yaml with the recipes of recipes/ as they are now."""
    return with_recipes(text, recipes_in(Path("recipes")))


if __name__ == "__main__":
    FILE.write_text(current(FILE.read_text(encoding="utf-8")), encoding="utf-8")
