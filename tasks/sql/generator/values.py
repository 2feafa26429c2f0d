"""Values of each type: those that a constant suggests, others by chance, and whether they meet a condition."""

import datetime
import json
import operator
import random
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from finetune_flows.tasks.sql.column_types import NUMBERS, ColumnType
from finetune_flows.tasks.sql.generator.column_functions import applied
from finetune_flows.tasks.sql.generator.constants import as_date, as_moment, number
from finetune_flows.tasks.sql.generator.date_values import days_by_chance, moments_by_chance
from finetune_flows.tasks.sql.generator.facts import Condition
from finetune_flows.tasks.sql.generator.text_values import matches_like, matches_regexp, words_by_chance

Value = Any
"""None, bool, int, float, Decimal, str, bytes, date, datetime, time, list or dict, as the column's type wants it."""

_EPOCH = datetime.datetime(1970, 1, 1)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


def fitted(value: Value, kind: ColumnType) -> Value:
    """The value as a column of that type holds it; None when it cannot."""
    try:
        return _fit(value, kind)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _fit(value: Value, kind: ColumnType) -> Value:
    match kind.kind:
        case "integer":
            whole = _whole(value)
            return whole if kind.lowest <= whole <= kind.highest else None
        case "year":
            whole = value.year if isinstance(value, datetime.date) else _whole(value)
            return whole if 1901 <= whole <= 2155 else None
        case "decimal":
            exact = _exact(value).quantize(Decimal(1).scaleb(-kind.scale))
            return exact if abs(exact) < 10 ** (kind.digits - kind.scale) else None
        case "float":
            return float(_exact(value))
        case "boolean":
            return _truth(value)
        case "date":
            return as_date(value)
        case "timestamp":
            return as_moment(value)
        case "time":
            return value if isinstance(value, datetime.time) else datetime.time.fromisoformat(str(value))
        case "enum":
            return value if value in kind.members else None
        case "uuid":
            return str(uuid.UUID(str(value)))
        case "text":
            text = _spelt(value)
            return text if len(text) <= kind.length and "\x00" not in text else None
    return value if isinstance(value, _CONTAINERS[kind.kind]) else None


_CONTAINERS: dict[str, type] = {
    "json": object, "array": list, "struct": dict, "blob": bytes, "bits": str, "interval": str,
}  # fmt: skip


def _whole(value: Value) -> int:
    if isinstance(value, datetime.date):
        return int((as_moment(value) - _EPOCH).total_seconds())
    exact = _exact(value)
    if exact != int(exact):
        raise ValueError(value)
    return int(exact)


def _exact(value: Value) -> Decimal:
    if isinstance(value, str):
        value = number(value)
    return value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else int(value))


def _truth(value: Value) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(value.lower())
    return bool(value) if value in (0, 1) else None


def _spelt(value: Value) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def meets(value: Value, condition: Condition) -> bool:
    """Whether a value fulfils a condition, as a database would compare it in a column of that value's type."""
    name, targets = condition.operator, condition.values
    if value is not None and condition.functions:
        value = applied(condition.functions, value)
    if name in ("null", "not null"):
        return (value is None) == (name == "null")
    if name == "near":
        return True
    if value is None:
        return False
    if name in _ORDER:
        return _compare(name, value, targets[0])
    met = name.removeprefix("not ")
    if met == "in":
        found = any(_compare("=", value, target) for target in targets)
    elif met == "like":
        found = matches_like(_spelt(value), *targets)
    else:
        found = matches_regexp(_spelt(value), *targets)
    return found == (met == name)


def _compare(name: str, value: Value, target: Value) -> bool:
    if isinstance(value, list):
        return any(_compare(name, element, target) for element in value if element is not None)
    try:
        left, right = _comparable(value, target)
        return _ORDER[name](left, right)
    except (ValueError, TypeError, ArithmeticError):
        return name == "<>"


def _comparable(value: Value, target: Value) -> tuple[Any, Any]:
    """Both as the kind of thing that the value is; a text stays one, even next to a number."""
    if isinstance(value, bool):
        return value, _truth(target)
    if isinstance(value, int | float | Decimal):
        return _exact(value), _exact(target)
    if isinstance(value, datetime.date):
        return as_moment(value), as_moment(target)
    if isinstance(value, datetime.time):
        return value, datetime.time.fromisoformat(str(target))
    if isinstance(target, int | float) and not isinstance(target, bool):
        return _exact(value), _exact(target)
    return str(value), _spelt(target)


def by_chance(kind: ColumnType, count: int, rng: random.Random, *, top: int, signed: bool) -> list[Value]:
    """Values that no constant suggests, all different; fewer where the type has no more. Numbers lie below `top`."""
    if kind.kind in NUMBERS:
        return _numbers_by_chance(kind, count, rng, top, signed)
    if kind.kind == "date":
        return list(days_by_chance(count, rng))
    if kind.kind == "timestamp":
        return list(moments_by_chance(count, rng))
    if kind.kind == "boolean":
        return [True, False]
    if kind.kind == "enum":
        return rng.sample(kind.members, len(kind.members))
    if kind.kind == "text":
        return list(words_by_chance(count, rng, kind.length))
    return list({repr(value): value for value in (_other(kind, rng) for _ in range(count))}.values())


def _numbers_by_chance(kind: ColumnType, count: int, rng: random.Random, top: int, signed: bool) -> list[Value]:
    if kind.kind == "year":
        return rng.sample(range(1950, 2030), min(count, 80))
    if kind.kind == "integer":
        top = min(top, kind.highest)
        low = max(-top, kind.lowest) if signed else 0
        values: list[Value] = rng.sample(range(low, top), min(count, top - low))
        return [0, *values[1:]] if signed else values
    scale = kind.scale if kind.kind == "decimal" else 2
    top = min(top, 10 ** (kind.digits - scale))
    units = 10**scale
    drawn = rng.sample(range(-top * units if signed else 1, top * units), min(count, top * units - 1))
    whole_and_half = [(unit // units * units or units) + units // 2 * (i % 2) for i, unit in enumerate(drawn)]
    mixed = dict.fromkeys(whole_and_half[i] if i % 3 == 0 else unit for i, unit in enumerate(drawn))
    return [value for unit in mixed if (value := fitted(Decimal(unit).scaleb(-scale), kind)) is not None]


def close_together(numbers: Sequence[Value], kind: ColumnType) -> list[Value]:
    """The numbers, every second one moved to just above the one before it, so that both round to the same."""
    step = Decimal(1).scaleb(-min(kind.scale, 2) if kind.kind == "decimal" else -2)
    moved = [
        fitted(_exact(numbers[i - 1]) + step, kind) if i % 2 else number for i, number in enumerate(numbers)
    ]  # fmt: skip
    return list(dict.fromkeys(value for value in moved if value is not None))


def _other(kind: ColumnType, rng: random.Random) -> Value:
    match kind.kind:
        case "time":
            return datetime.time(rng.randrange(24), rng.choice((0, 30, 59)), rng.choice((0, 0, 59)))
        case "uuid":
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        case "blob":
            return rng.randbytes(4)
        case "bits":
            return "".join(rng.choice("01") for _ in range(kind.length))
        case "interval":
            return f"{rng.randrange(60)} days {rng.randrange(24):02}:{rng.choice((0, 30)):02}:00"
        case "array" if kind.element:
            elements = by_chance(kind.element, 4, rng, top=20, signed=False)
            return [rng.choice(elements) for _ in range(rng.randrange(4))]
        case "struct":
            return {name: by_chance(part, 1, rng, top=20, signed=False)[0] for name, part in kind.fields}
    return {"name": words_by_chance(1, rng, 20)[0], "count": rng.randrange(20)}


def as_text(values: Sequence[Value], form: str | None) -> list[Value]:
    """Numbers, dates and documents as a text column holds them; dates in a form of strftime, if there is one."""
    return [_as_text(value, form) for value in values]


def _as_text(value: Value, form: str | None) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return as_moment(value).strftime(form) if form and isinstance(value, datetime.date) else _spelt(value)
