"""The base class of all sections of a recipe."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

Rule = TypeVar("Rule", bound=Callable[[Any], Iterator[str]])


def _for_the_form(schema: dict[str, Any]) -> None:
    """Rewrites the JSON schema of a section so that Prefect's form shows its fields well."""
    for field in schema.get("properties", {}).values():
        # The form shows a `const` as an editable text box, and an `enum` as a list to choose from.
        if "const" in field:
            field["enum"] = [field["const"]]
        _without_null(field)


def _without_null(field: dict[str, Any]) -> None:
    """The form shows "or null" as a tab that says `Property is type "None"`: leave it out where empty means null anyway."""
    null = {"type": "null"}
    permitted = [each for each in field.get("anyOf", []) if each != null]
    if field.get("default", ...) is not None or null not in field.get("anyOf", []):
        return
    # The form leaves out what is empty, and Prefect's server permits null for a field with a type and no default.
    del field["default"]
    if len(permitted) == 1 and "type" in permitted[0]:
        del field["anyOf"]
        field |= permitted[0]
    else:  # a section that is off: its own tab, or the form would fill it in with its defaults
        field |= {"type": "object", "anyOf": [{"title": "Off", "type": "object", "properties": {}}, *permitted]}


def rule(method: Rule) -> Rule:
    """Marks a method that yields what is wrong with several fields together. All rules of a section are reported together."""
    method.is_rule = True  # type: ignore[attr-defined]
    return method


def rules_of(section: type[BaseModel]) -> list[Callable[[Any], Iterator[str]]]:
    """In the order in which they are written, those of its bases first."""
    names = dict.fromkeys(name for base in reversed(section.__mro__) for name in vars(base))
    methods = (getattr(section, name, None) for name in names)
    return [method for method in methods if callable(method) and getattr(method, "is_rule", False)]


class Section(BaseModel):
    """A frozen part of a recipe. Unknown fields are errors."""

    later: ClassVar[frozenset[str]] = frozenset()
    """Fields that came after the first version. At their defaults they are left out of step keys, which so stay valid."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=(), json_schema_extra=_for_the_form
    )

    def unset_later(self) -> set[str]:
        """Those of the later fields that have their defaults."""
        fields = type(self).model_fields
        return {
            name for name in self.later if getattr(self, name) == fields[name].get_default(call_default_factory=True)
        }

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        broken = [problem for check in rules_of(type(self)) for problem in check(self)]
        if broken:
            raise ValueError("; ".join(broken))
        return self
