"""What all sections of a recipe share."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def _as_choices(schema: dict[str, Any]) -> None:
    """A field with one permitted value is a list of one in a form; as a mere constant, Prefect shows a text box."""
    for field in schema.get("properties", {}).values():
        if "const" in field:
            field["enum"] = [field["const"]]


class Section(BaseModel):
    """What all sections share."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), json_schema_extra=_as_choices)
