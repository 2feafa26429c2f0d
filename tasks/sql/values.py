"""Values around the constants of a query: some that meet its conditions, some that just miss them."""

import datetime
import operator
import re
from collections.abc import Callable
from typing import Any

from finetune_flows.tasks.sql.query_facts import Condition, Value, number

_WORDS = """
Amber Birch Cedar Delta Ember Fjord Grove Heron Iris Juniper Koala Lotus Maple Nectar Opal Pine Quartz Raven
Sage Thorn Umber Violet Willow Xenon Yarrow Zephyr Acorn Basil Clover Dune Elm Fern Ginger Hazel Ivory Jade Kelp Lilac
Moss Nettle
"""
WORDS = _WORDS.split()
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


def meets(value: Value, condition: Condition) -> bool:
    """Whether a value fulfils a condition, as SQLite would compare it in a column of that value's kind."""
    kind, targets = condition.operator, condition.values
    if value is None or kind in ("null", "not null"):
        return (value is None) == (kind == "null")
    if kind in _ORDER:
        left, right = _comparable(value, targets[0])
        return _ORDER[kind](left, right)
    if kind in ("in", "not in"):
        inside = any(left == right for left, right in (_comparable(value, target) for target in targets))
        return inside == (kind == "in")
    if kind in ("like", "not like"):
        return _like(str(targets[0]), str(value)) == (kind == "like")
    return True


def _comparable(value: Value, target: Value) -> tuple[Any, Any]:
    """Both as numbers where the value is one, else both as text."""
    if isinstance(value, int | float):
        converted = number(target) if isinstance(target, str) else target
        return (value, converted) if converted is not None else (0, 1)
    return str(value), str(target)


def _like(pattern: str, text: str) -> bool:
    parts = (".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern[:100])
    return re.fullmatch("".join(parts), text, re.IGNORECASE | re.DOTALL) is not None


def around(condition: Condition, kind: str) -> list[Value]:
    """The constants of a condition and values next to them, for a column of that kind (text, number, date)."""
    found: list[Value] = []
    for constant in condition.values:
        if condition.operator.endswith("like"):
            found += _around_pattern(str(constant))
        elif kind == "date" and isinstance(constant, str | int) and (dates := _around_date(str(constant))):
            found += dates
        else:
            found += _around_constant(constant, kind)
    return list(dict.fromkeys(found))


def _around_constant(constant: Value, kind: str) -> list[Value]:
    value = number(constant) if isinstance(constant, str) else constant
    if isinstance(value, int | float) and abs(value) < 2**53:
        spelt = isinstance(constant, str) and kind != "number"
        near: list[int | float] = [value, value + 1, value - 1, 2 * value + 3]
        return [str(constant), *(str(v) for v in near[1:])] if spelt else list(near)
    text = str(constant)
    return [text, text + "x", text[:-1], *([text[1:]] if len(text) > 2 else [])]


def _around_pattern(pattern: str) -> list[Value]:
    bare = pattern.replace("%", "").replace("_", "q")
    filled = [pattern.replace("%", fill).replace("_", "q") for fill in ("", "a", " b")]
    return [*filled, f"a{bare}", f"{bare}b", f"a{bare}b", bare[:-1], bare[1:]]


def _around_date(text: str) -> list[Value]:
    """Days around an ISO date, or days of a year, of a month of it ("2024-03"), or of that month of any year ("03")."""
    try:
        day = datetime.date.fromisoformat(text[:10])
        offsets = (0, 1, -1, 40, -400)
        return [(day + datetime.timedelta(days=offset)).isoformat() + text[10:] for offset in offsets]
    except (ValueError, OverflowError):
        pass
    if re.fullmatch(r"[12]\d{3}-(0[1-9]|1[0-2])", text):
        middle = datetime.date.fromisoformat(f"{text}-15")
        return [(middle + datetime.timedelta(days=days)).isoformat() for days in (-14, 7, -20, 20, -366)]
    if re.fullmatch(r"[12]\d{3}", text):
        year = int(text)
        return [f"{year}-06-15", f"{year}-01-03", f"{year - 1}-11-30", f"{year + 1}-02-08"]
    if re.fullmatch(r"0[1-9]|1[0-2]", text):
        return [f"2021-{text}-09", f"2022-{text}-24"]
    return []
