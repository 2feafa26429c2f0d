"""Generates docs/recipes.md from the recipe models.

python -m finetune_flows.tasks.recipe.reference > docs/recipes.md
"""

from collections.abc import Iterator
from typing import Any

from finetune_flows.tasks.base.markdown import table
from finetune_flows.tasks.recipe.recipe import Recipe

_HEAD = """# Recipes

A recipe is one YAML file that determines one fine-tuning. `recipes/` has examples; the first comment of each is its
command. You can override any field: `finetune run recipes/demo.yaml --set training.epochs=2 --set evaluation.rows=100`.
Each run saves its resolved recipe (`finetune runs`). All problems in a recipe are reported together.

`python -m finetune_flows.tasks.recipe.reference` generates this page from the models that check a recipe.
"""


def reference() -> str:
    """The page as Markdown, with one table per section."""
    schema = Recipe.model_json_schema()
    pages = [_HEAD, _table("Top level", _scalars(schema))]
    pages += _sections(schema, schema)
    return "\n".join(pages)


def _sections(schema: dict[str, Any], above: dict[str, Any], path: str = "") -> Iterator[str]:
    """The tables of all sections inside `above`, at any depth. A section that has several kinds gets one table per kind."""
    for name, field in above["properties"].items():
        for target in _targets(field):
            section = schema["$defs"][target.split("/")[-1]]
            kind = f": {section['title']}" if len(_targets(field)) > 1 else ""
            yield _table(f"`{path}{name}`{kind}", _scalars(section), section.get("description", ""))
            yield from _sections(schema, section, f"{path}{name}.")


def _targets(field: dict[str, Any]) -> list[str]:
    """The sections that a field may hold; empty for a plain value."""
    return [part["$ref"] for part in _parts(field) if "$ref" in part]


def _parts(field: dict[str, Any]) -> list[dict[str, Any]]:
    """What a field may hold: itself, one of several, or several."""
    return [field, *field.get("anyOf", ()), *field.get("oneOf", ()), field.get("items", {})]


def _scalars(section: dict[str, Any]) -> dict[str, dict[str, Any]]:
    required = section.get("required", [])
    fields = {name: field for name, field in section["properties"].items() if not _targets(field)}
    return {name: field | {"required": name in required} for name, field in fields.items()}


def _table(title: str, fields: dict[str, dict[str, Any]], description: str = "") -> str:
    rows = [(f"`{name}`", _values(field), _default(field), _words(field)) for name, field in fields.items()]
    head = ["field", "values", "default", "what it does"]
    return "\n".join([f"## {title}", "", *([description, ""] if description else []), *table(head, rows), ""])


def _values(field: dict[str, Any]) -> str:
    # An optional field without a default is null by default: see Section, which leaves null out of the schema.
    may_be_empty = not field["required"] and "default" not in field and field.get("type") != "object"
    return _permitted(field) + (", or empty" if may_be_empty else "")


def _permitted(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return ", or ".join(_permitted(choice) for choice in field["anyOf"])
    if "enum" in field:
        return ", ".join(field["enum"])
    if "const" in field:
        return str(field["const"])
    limits = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}
    bounds = [f"{sign}{field[name]:g}" for name, sign in limits.items() if name in field]
    return ", ".join([{"null": "empty"}.get(field["type"], field["type"]), *bounds])


def _default(field: dict[str, Any]) -> str:
    if field["required"]:
        return "needed"
    default = field.get("default")
    return "" if default is None else f"`{str(default).splitlines()[0]}`" + (" …" if "\n" in str(default) else "")


def _words(field: dict[str, Any]) -> str:
    return str(field.get("description", "")).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(reference(), end="")
