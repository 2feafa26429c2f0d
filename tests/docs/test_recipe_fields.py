"""Each field of a recipe has a sentence where its user looks, and a test of what it does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.recipe.partial import models_in

GENERATED = Path("docs/recipes.md")
PAGES = [
    Path("README.md"),
    *(page for page in sorted(Path("docs").glob("*.md")) if page != GENERATED),
    *sorted(
        path
        for folder in ("recipes", "examples")
        for path in Path(folder).rglob("*")
        if path.suffix in (".yaml", ".md")
    ),
]
TESTS = [path for path in sorted(Path("tests").rglob("*.py")) if path != Path("tests/docs/test_recipe_fields.py")]


def fields(model: type[BaseModel] = Recipe, path: str = "") -> Iterator[str]:
    """Dotted paths of all fields that hold a value; of a dictionary of sections, those below its keys."""
    for name, field in model.model_fields.items():
        below = [
            each for kind in (field.annotation, *getattr(field.annotation, "__args__", ())) for each in models_in(kind)
        ]
        if below:
            for section in below:
                yield from fields(section, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def words_of(paths: list[Path]) -> set[str]:
    """Names in code: all of a YAML or Python file; of a page what stands between backticks."""
    words: set[str] = set()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        parts = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL) if path.suffix == ".md" else [text]
        words.update(word for part in parts for word in re.findall(r"\w+", part))
    return words


FIELDS = sorted(set(fields()))
WRITTEN, TESTED = words_of(PAGES), words_of(TESTS)


def test_the_fields_are_those_of_the_sections_below_too() -> None:
    assert len(FIELDS) > 150
    assert {"training.epochs", "platform.autoscaling.min_instances", "gate.scores.min_gain", "problem.judge.url"} <= {
        *FIELDS
    }


@pytest.mark.parametrize("field", FIELDS)
def test_a_page_or_a_shipped_recipe_mentions_it(field: str) -> None:
    assert field.split(".")[-1] in WRITTEN, (
        f"write when to set {field}, and what happens then, on the page of its section"
    )


@pytest.mark.parametrize("field", FIELDS)
def test_a_test_sets_it(field: str) -> None:
    assert field.split(".")[-1] in TESTED, f"test what {field} does"
