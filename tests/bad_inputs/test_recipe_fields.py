"""Fields of a recipe with values of the wrong kind, in every section: named in one line each, and all of them at once."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.problems import AnyProblem
from finetune_flows.tasks.recipe import Recipe, parse_recipe
from finetune_flows.tasks.recipe.partial import models_in
from finetune_flows.tasks.sections.platforms import Platform

LONGEST_PROBLEM = 1_000
SOUND: dict[str, Any] = {
    "name": "tidy",
    "problem": {"kind": "text-to-sql"},
    "dataset": {"source": "rows.jsonl"},
    "model": {"source": "model"},
}
KINDS = [("problem", kind) for kind in models_in(AnyProblem)] + [("platform", kind) for kind in models_in(Platform)]
SINGLE = [
    (name, model)
    for name, field in Recipe.model_fields.items()
    if name not in ("problem", "platform")
    for model in models_in(field.annotation)
]
SECTIONS = {
    f"{name}, {model.model_fields['kind'].default}" if "kind" in model.model_fields else name: (name, model)
    for name, model in [*SINGLE, *KINDS]
}


def problems_of(content: object) -> list[str]:
    """Those of a recipe; none if it can be run."""
    problems: list[str] = []
    try:
        parse_recipe(content, "recipe")
    except RecipeError as error:
        problems = error.problems
    assert all("\n" not in problem and len(problem) < LONGEST_PROBLEM for problem in problems)
    return problems


def with_fields(name: str, model: type[BaseModel], **fields: Any) -> dict[str, Any]:
    """A sound recipe whose section `name` is of this kind and has these fields."""
    kind = {"kind": model.model_fields["kind"].default} if "kind" in model.model_fields else {}
    return SOUND | {name: {**SOUND.get(name, {}), **kind, **fields}}


class Odd:
    """What no YAML file holds, but somebody's Python may."""


WRONG: dict[str, Any] = {
    "bytes": b"\xff\x00",
    "a list of lists": [[[]]],
    "a section of sections": {"a": {"b": {"c": None}}},
    "keys that are no text": {1: 2, None: 3, (4, 5): 6},
    "not a number": float("nan"),
    "without end": float("inf"),
    "minus": -(10**30),
    "an object": Odd(),
    "half a character": "\ud800",
    "a long text": "x" * 50_000,
    "many digits": 10**2000,
}


@pytest.mark.parametrize("section", SECTIONS)
def test_no_value_breaks_what_reads_the_recipe(section: str) -> None:
    """Some fields take some of them; what is refused is refused in short lines that begin with a part of the recipe."""
    name, model = SECTIONS[section]
    for field in model.model_fields:
        for value in WRONG.values():
            for problem in problems_of(with_fields(name, model, **{field: value})):
                assert problem.split(".")[0].split(":")[0].split(" ")[0] in Recipe.model_fields, problem


@pytest.mark.parametrize("section", SECTIONS)
def test_numbers_that_are_none_are_refused(section: str) -> None:
    name, model = SECTIONS[section]
    numbers = [field for field, info in model.model_fields.items() if _is_number(info.annotation)]
    for field in numbers:
        for value in (float("nan"), float("inf"), float("-inf")):
            told = problems_of(with_fields(name, model, **{field: value}))
            assert any(f"{name}.{field}: " in problem for problem in told), (field, value, told)


def _is_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(kind in (int, float) for kind in get_args(annotation))


@pytest.mark.parametrize("section", SECTIONS)
def test_a_misspelt_field_is_said_with_the_one_that_is_meant(section: str) -> None:
    name, model = SECTIONS[section]
    fields = [field for field in model.model_fields if len(field) > 5]
    misspelt = {field[:-2] + field[-1]: 1 for field in fields if field[:-2] + field[-1] not in model.model_fields}
    told = problems_of(with_fields(name, model, **misspelt))
    for wrong in misspelt:
        assert any(problem.startswith(f"{name}.{wrong}: unknown; did you mean ") for problem in told), (wrong, told)


@pytest.mark.parametrize("value", [None, 7, "words", [], [{}], True, float("nan"), b"x", {1: 2}, {None: {}}], ids=repr)
def test_a_section_that_is_none(value: Any) -> None:
    """All of them at once: one problem each, at least."""
    told = "\n".join(problems_of(dict.fromkeys(Recipe.model_fields, value)))
    for name in ("problem", "dataset", "model"):
        assert f"{name}" in told


@pytest.mark.parametrize("value", [None, 7, [], {}, "", "magic", ["chat"], {"kind": "chat"}, float("nan")], ids=repr)
@pytest.mark.parametrize("name", ["problem", "platform"])
def test_a_kind_that_is_none(name: str, value: Any) -> None:
    assert any(problem.startswith(f"{name}") for problem in problems_of(SOUND | {name: {"kind": value}}))


@pytest.mark.parametrize("key", [7, None, True, 1.5, (1, 2), b"x", ""], ids=repr)
def test_a_key_that_is_no_text(key: Any) -> None:
    assert problems_of(SOUND | {key: 1})
    assert problems_of(SOUND | {"gate": {key: 1}})
    assert problems_of(SOUND | {"gate": {"scores": {key: {key: 1}}}})


def everything_wrong() -> Iterator[tuple[str, dict[str, Any]]]:
    for section in SECTIONS:
        name, model = SECTIONS[section]
        yield name, with_fields(name, model, **{field: Odd() for field in model.model_fields if field != "kind"})


def test_all_fields_of_all_sections_at_once() -> None:
    content = dict(SOUND)
    for name, each in everything_wrong():
        content[name] = each[name]
    told = problems_of(content)
    for name, model in SINGLE:
        missing = [field for field in model.model_fields if not any(p.startswith(f"{name}.{field}") for p in told)]
        assert missing == [], name
    assert len(told) == len(set(told))
