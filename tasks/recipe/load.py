"""Reads recipe files, applies overrides, and reports all problems of a recipe together."""

import copy
import difflib
import os
import reprlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.paths import absence
from finetune_flows.tasks.recipe.partial import broken_rules, models_in
from finetune_flows.tasks.recipe.paths import from_folder
from finetune_flows.tasks.recipe.recipe import Recipe
from finetune_flows.tasks.recipe.yaml_text import MOST_CHARACTERS, read_yaml

LONGEST_PROBLEM = 500
MOST_PROBLEMS = 300
Check = Callable[[Recipe], Iterable[str]]
"""Yields what is wrong with a recipe that its sections cannot know, such as a file that is not there."""


def load_recipe(path: Path | str, overrides: Sequence[str] = (), checks: Sequence[Check] = ()) -> Recipe:
    """The recipe in a YAML file, with overrides such as `training.epochs=2` applied.

    Paths in the file count from its folder, paths in overrides from the working directory.

    Raises:
        RecipeError: the file cannot be read, or the recipe has problems. The error lists all of them.
    """
    return parse_recipe(from_folder(_read_yaml(Path(path)), Path(path).parent), str(path), overrides, checks)


def parse_recipe(content: object, subject: str, overrides: Sequence[str] = (), checks: Sequence[Check] = ()) -> Recipe:
    """A checked recipe. Raises RecipeError with one line for each problem: its path, what is wrong, what is permitted.

    A check that cannot run because a field that it reads is wrong is left out; all others run, whatever else is wrong.
    """
    content, problems = _override(content, overrides)
    try:
        recipe = Recipe.model_validate(content)
        problems += [problem for check in checks for problem in check(recipe)]
    except ValidationError as error:
        details = error.errors()
        problems += [_describe(detail) for detail in details if not _is_of_a_rule(detail)]
        problems += broken_rules(content, checks)
        raise _refusal(subject, problems or [_describe(detail) for detail in details]) from None
    if problems:
        raise _refusal(subject, problems)
    return recipe


def _refusal(subject: str, problems: Sequence[str]) -> RecipeError:
    """With each problem in a line of its own, and neither with a megabyte that the recipe holds nor with thousands of lines."""
    lines = [" ".join(problem.split("\n")) for problem in problems]
    lines = [line if len(line) <= LONGEST_PROBLEM else f"{line[:LONGEST_PROBLEM]}..." for line in lines]
    if len(lines) > MOST_PROBLEMS:
        lines[MOST_PROBLEMS:] = [f"and {len(lines) - MOST_PROBLEMS:,} more problems"]
    return RecipeError(subject, lines)


def _is_of_a_rule(detail: ErrorDetails) -> bool:
    """Whether it comes from a rule across fields; those are all found again, each in a line of its own."""
    return detail["type"] == "value_error" and isinstance(detail["input"], dict | BaseModel)


def _override(content: object, overrides: Sequence[str]) -> tuple[object, list[str]]:
    """`content` with each `section.field=value` applied, values read as YAML, and the malformed ones."""
    content, malformed = copy.deepcopy(content), []
    for text in overrides:
        key, equals, value = text.partition("=")
        keys = key.strip().split(".")
        try:
            read = read_yaml(value) if value.strip() else ""
        except ValueError:
            malformed.append(f"--set {text[:80]}: the value is not YAML; put it in quotation marks")
            continue
        if not equals or not all(keys):
            malformed.append(f"--set {text[:80]}: write it as section.field=value")
        elif isinstance(content, dict):
            _set(content, keys, read)
    return content, malformed


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML. It is saved with a run and can be run again."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_saved_recipe(path: Path) -> Recipe:
    """A recipe that was saved with a run. Its paths count from the working directory, as they did in the run."""
    return parse_recipe(_read_yaml(path), str(path))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(_text_of(path))
    except UnicodeDecodeError as error:
        raise RecipeError(str(path), [f"is not UTF-8, at byte {error.start}; save it as UTF-8"]) from None
    except ValueError as error:
        raise RecipeError(str(path), [f"is not YAML: {error}"]) from None
    if not isinstance(content, dict):
        raise RecipeError(str(path), ["must hold sections (name, problem, dataset, model, ...)"])
    return content


def _text_of(path: Path) -> str:
    """Raises RecipeError, or UnicodeDecodeError."""
    if os.path.isdir(path):
        raise RecipeError(str(path), ["is a folder; give the recipe file in it"])
    if (problem := absence(path)) is not None:
        raise RecipeError(str(path), [f"{problem}{_near(path)}"])
    try:
        with path.open("rb") as file:
            return file.read(4 * MOST_CHARACTERS + 1).decode("utf-8-sig")
    except OSError as error:
        raise RecipeError(str(path), [f"cannot be read: {error.strerror}"]) from None


def _near(path: Path) -> str:
    names = [each.name for each in path.parent.glob("*.y*ml")] if os.path.isdir(path.parent) else []
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.4)
    if near:
        return f"; did you mean {path.parent / near[0]}?"
    return "; `finetune recipes` lists the ones that come with the package"


def _set(content: dict[str, Any], keys: list[str], value: object) -> None:
    for key in keys[:-1]:
        below = content.get(key)
        content[key] = dict(below) if isinstance(below, dict) else {}
        content = content[key]
    content[keys[-1]] = value


def _describe(details: ErrorDetails) -> str:
    """One problem in plain words, for example `training.epocs: unknown; did you mean epochs?`."""
    location = _without_tags(details["loc"])
    path = ".".join(location) or "recipe"
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{path}: unknown{_suggestion(location)}"
    if kind == "missing":
        return f"{path}: missing; {_description(location)}"
    if kind == "literal_error":
        return f"{path}: {_shown(details['input'])} is not one of {context['expected']}"
    if kind == "union_tag_invalid":
        return f"{path}.kind: {_shown(context['tag'])} is not one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{path}.kind: missing; it names the kind of {location[-1]}"
    message = details["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"{path}: {message}" if location else message
    return f"{path}: {message[0].lower()}{message[1:]}, got {_shown(details['input'])}"


def _without_tags(location: Sequence[int | str]) -> list[str]:
    """The path as in the file: for a section that has several kinds, pydantic adds the kind to the path."""
    path, fields = [], dict(Recipe.model_fields)
    parts = [str(part) for part in location]
    while parts:
        path.append(parts.pop(0))
        models = models_in(fields[path[-1]].annotation) if path[-1] in fields else []
        if len(models) > 1 and parts:
            models = [model for model in models if model.model_fields["kind"].default == parts[0]]
            parts = parts[1:]
        fields = dict(models[0].model_fields) if models else {}
    return path


def _suggestion(location: list[str]) -> str:
    names = list(_fields_at(location[:-1]))
    near = difflib.get_close_matches(location[-1], names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else f"; permitted are {', '.join(names)}"


def _fields_at(location: Iterable[str]) -> dict[str, FieldInfo]:
    """The fields of the section at a path. A section that has several kinds gives the fields of all of them."""
    fields = dict(Recipe.model_fields)
    for part in location:
        models = models_in(fields[part].annotation) if part in fields else []
        fields = {name: field for model in models for name, field in model.model_fields.items()} or fields
    return fields


def _description(location: list[str]) -> str:
    field = _fields_at(location[:-1]).get(location[-1])
    return (field.description if field and field.description else "this section is required").rstrip(".")


def _shown(value: object) -> str:
    """As Python writes it, but not a megabyte of it."""
    written = reprlib.Repr()
    written.maxstring = written.maxother = written.maxlong = 80
    return written.repr(value)
