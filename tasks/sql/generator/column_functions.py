"""Functions of one column that can be followed in both directions: LOWER(city) = 'turin', MONTH(paid) = 12.

A function is a tuple: its name and its arguments. Several, applied one after the other, are a tuple of these.
"""

import math
from typing import Any

from sqlglot import exp

from finetune_flows.tasks.sql.generator.constants import PART_NODES, PARTS, as_date, as_moment, number, truncated

Function = tuple[Any, ...]
_PLAIN: dict[type[exp.Expr], str] = {
    exp.Lower: "lower", exp.Upper: "upper", exp.Trim: "trim", exp.Length: "length", exp.Abs: "abs",
    exp.Round: "round", exp.Floor: "floor", exp.Ceil: "ceil", exp.Trunc: "integer",
    exp.Date: "date", exp.TsOrDsToDate: "date", exp.Time: "time", exp.TsOrDsToTime: "time",
}  # fmt: skip
JSON_EXTRACTS = exp.JSONExtract | exp.JSONExtractScalar | exp.JSONBExtract | exp.JSONBExtractScalar
_TRANSPARENT = exp.Paren | exp.TsOrDsToTimestamp | exp.Collate | exp.Timestamp


def followed(node: exp.Expr) -> tuple[exp.Column, tuple[Function, ...]] | None:
    """The column that an expression is a function of, and the functions, the innermost first; None if not understood."""
    steps: list[Function] = []
    while not isinstance(node, exp.Column):
        if isinstance(node, _TRANSPARENT):
            node = node.this
            continue
        found = _step(node)
        if found is None:
            return None
        step, node = found
        steps.append(step)
    return node, tuple(reversed(steps))


def _step(node: exp.Expr) -> tuple[Function, exp.Expr] | None:
    if isinstance(node, exp.Date | exp.Trim) and len([part for part in node.args.values() if part]) > 1:
        return None
    if type(node) in _PLAIN:
        return (_PLAIN[type(node)],), node.this
    if type(node) in PART_NODES:
        return ("part", PART_NODES[type(node)]), node.this
    if isinstance(node, exp.Extract):
        return (("part", unit), node.expression) if (unit := node.name.lower()) in PARTS else None
    if isinstance(node, exp.TimeToStr):
        return ("format", node.text("format")), node.this
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
        return ("truncated", node.text("unit").lower()), node.this
    if isinstance(node, exp.Substring | exp.Left):
        start, length = (node.text("start") or "1", node.text("length") or node.text("expression"))
        return (("substring", int(start), int(length)), node.this) if start.isdigit() and length.isdigit() else None
    if isinstance(node, exp.Cast):
        return _cast(node)
    if isinstance(node, JSON_EXTRACTS):
        return ("path", *_path(node.expression)), node.this
    if isinstance(node, exp.Any):
        return ("elements",), node.this
    if isinstance(node, exp.Bracket):
        index = node.expressions[0].name if len(node.expressions) == 1 else ""
        return (("item", int(index)), node.this) if index.isdigit() else None
    if isinstance(node, exp.Anonymous) and node.name.lower() in ("date", "time", "date_part") and node.expressions:
        *before, of = node.expressions
        if node.name.lower() in ("date", "time") and not before:
            return (node.name.lower(),), of
        return (("part", before[0].name.lower()), of) if before and before[0].name.lower() in PARTS else None
    return None


def _cast(node: exp.Cast) -> tuple[Function, exp.Expr]:
    if node.to.this == exp.DataType.Type.DATE:
        return ("date",), node.this
    if node.to.this == exp.DataType.Type.TIME:
        return ("time",), node.this
    if node.to.this in exp.DataType.INTEGER_TYPES:
        return ("integer",), node.this
    return ("same",), node.this


def _path(node: exp.Expr) -> list[str | int]:
    if isinstance(node, exp.JSONPath):
        parts = [part.this for part in node.expressions if isinstance(part, exp.JSONPathKey | exp.JSONPathSubscript)]
        return [part if isinstance(part, int) else str(part) for part in parts]
    text = node.name.strip("{}")  # PostgreSQL's '{a,b}'
    return [int(part) if part.isdigit() else part for part in text.split(",") if part]


def applied(functions: tuple[Function, ...], value: Any) -> Any:
    """What the functions make of a value; None where they cannot."""
    try:
        for function in functions:
            value = _apply(function, value)
    except (ValueError, TypeError, ArithmeticError, LookupError):
        return None
    return value


def _apply(function: Function, value: Any) -> Any:
    match function:
        case ("lower",):
            return str(value).lower()
        case ("upper",):
            return str(value).upper()
        case ("trim",):
            return str(value).strip()
        case ("length",):
            return len(str(value))
        case ("abs",):
            return abs(value)
        case ("round",):
            return math.floor(value + type(value)(1) / 2)
        case ("floor",):
            return math.floor(value)
        case ("ceil",):
            return math.ceil(value)
        case ("integer",):
            return int(number(value) or 0) if isinstance(value, str) else int(value)
        case ("date",):
            return as_date(value)
        case ("time",):
            return as_moment(value).time()
        case ("part", unit):
            return PARTS[unit](as_moment(value))
        case ("format", form):
            return as_moment(value).strftime(form)
        case ("truncated", unit):
            return truncated(as_moment(value), unit)
        case ("path", *steps):
            for step in steps:
                value = value[step]
            return value
        case ("item", index):
            return value[index]
        case ("substring", start, length):
            return str(value)[start - 1 : start - 1 + length]
    return value
