"""Values of typed columns (Parquet, Arrow) as the other formats have them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from finetune_flows.tasks.problems.text_classification.labels import ClassName

Classes = Mapping[str, Sequence[str]]
"""Names of the classes of columns that hold their numbers."""


def classes_of(features: Mapping[str, Any]) -> Classes:
    """The columns of Hugging Face's type ClassLabel, or lists of it, in the JSON form of `Features`."""
    found = {}
    for column, feature in features.items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else {}
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" and inner.get("names"):
            found[column] = inner["names"]
    return found


def has_structs(schema: pa.Schema) -> bool:
    """Whether a column holds objects, at any depth."""
    return any(_holds_struct(field.type) for field in schema)


def _holds_struct(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return True
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _holds_struct(kind.value_type)


def plain_values(row: Mapping[str, Any], classes: Classes, structs: bool) -> dict[str, Any]:
    """The row with names for class numbers and numbers for decimals.

    With `structs`, nulls inside objects are left out: an Arrow object has the keys of all rows, and null for those that it
    lacks.
    """
    return {name: _plain(value, classes.get(name), structs) for name, value in row.items()}


def _plain(value: Any, names: Sequence[str] | None, structs: bool) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if names is not None and isinstance(value, int) and not isinstance(value, bool):
        return ClassName(names[value], value) if 0 <= value < len(names) else None  # -1: the row has no label
    if isinstance(value, list):
        return [_plain(each, names, structs) for each in value] if structs or names is not None else value
    if isinstance(value, dict) and structs:
        return {key: _plain(part, None, structs) for key, part in value.items() if part is not None}
    return value
