"""The base class of all sections of a recipe."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def _as_choices(schema: dict[str, Any]) -> None:
    """Turns a field with one permitted value into a list of one value in the JSON schema."""
    # Prefect shows a `const` as an editable text box, and an `enum` as a list to choose from.
    for field in schema.get("properties", {}).values():
        if "const" in field:
            field["enum"] = [field["const"]]


class Section(BaseModel):
    """A frozen part of a recipe. Unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), json_schema_extra=_as_choices)
