"""What a query may be and what may come of it: the same in every engine."""

import json
import math
from collections.abc import Hashable, Iterable
from decimal import Decimal
from typing import Any

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import Limits, QueryFailed
from finetune_flows.tasks.sql.query import MOST_CHARACTERS, Query


def text_of(query: Query) -> str:
    """The query's text. Raises QueryFailed when it is too long."""
    if len(query.text) > MOST_CHARACTERS:
        raise QueryFailed("is too long")
    return query.text


def first_line(problem: object) -> str:
    """What an engine says of a query that fails, without its hints."""
    return (str(problem).splitlines() or ["fails"])[0][:300]


def comparable_rows(rows: Iterable[Row], limits: Limits) -> list[Row]:
    """The rows as they compare. Raises what `check_size` raises."""
    return check_size((tuple(map(comparable, row)) for row in rows), limits)


def check_size(rows: Iterable[Row], limits: Limits) -> list[Row]:
    """The rows. Raises QueryFailed when there are too many, MemoryError when they are too large."""
    kept, size = [], 0
    for row in rows:
        kept.append(row)
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if len(kept) > limits.rows:
            raise QueryFailed(f"returns more than {limits.rows:,} rows")
        if size > limits.bytes:
            raise MemoryError
    return kept


def comparable(value: Any) -> Any:
    """The value as one that compares: 1.50 is 1.5, and what cannot be hashed (an array, JSON) is its text."""
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float | Decimal) and math.isnan(value):
        return "NaN"
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, list | tuple):
        return tuple(comparable(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, default=str)
    return value if isinstance(value, Hashable) else repr(value)
