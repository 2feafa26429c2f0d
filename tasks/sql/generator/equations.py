"""Comparisons of computed values, and rows in which both sides are equal: `salary / 12 > 4000`, `paid - due >= 30`.

The constants of such a query are values of no column. So one value of a row is moved until the sides are equal: their
difference is computed in exact fractions, and in most queries it is linear in each column.
"""

import datetime
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import mean
from typing import Any

from sqlglot import exp

from finetune_flows.tasks.sql.generator.constants import (
    NotConstant,
    as_moment,
    constant,
    interval_of,
    moved,
    number,
    shifted,
)
from finetune_flows.tasks.sql.schema import Column

Rows = Sequence[Mapping[str, Any]]
"""Each by lower-case name of the column."""

MOST_STEPS = 4
_EPOCH = datetime.datetime(1970, 1, 1)
_AGGREGATES: dict[type[exp.Expr], Callable[[Sequence[Fraction]], Fraction]] = {
    exp.Sum: lambda values: sum(values, Fraction()), exp.Avg: mean, exp.Max: max, exp.Min: min,
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], Callable[[Fraction, Fraction], Fraction]] = {
    exp.Add: lambda a, b: a + b, exp.Sub: lambda a, b: a - b, exp.Mul: lambda a, b: a * b, exp.Div: lambda a, b: a / b,
}  # fmt: skip
_DIFFERENCES = {"age", "timediff", "date_sub", "datesub"}
_IN_SECONDS = {"unix_timestamp", "unixepoch", "time_to_sec", "epoch"}
_DAYS = {
    "year": Fraction(365), "quarter": Fraction(91), "month": Fraction(30), "week": Fraction(7), "day": Fraction(1),
    "hour": Fraction(1, 24), "minute": Fraction(1, 1440), "second": Fraction(1, 86400),
}  # fmt: skip


@dataclass(frozen=True)
class Equation:
    """Both sides of a comparison, computed of columns of one table. A reference to a column has it in its meta.

    groups: what the rows are grouped by, where a side is an aggregate; None where each row is compared.
    """

    left: exp.Expr
    right: exp.Expr
    columns: tuple[Column, ...]
    groups: tuple[Column, ...] | None

    @property
    def table(self) -> str:
        """The table of all its columns."""
        return self.columns[0][0]

    def solved(self, row: dict[str, Any], name: str, rows: Rows, now: datetime.datetime) -> Fraction | None:
        """The value of one column of a row, which is one of `rows`, that makes both sides equal; None if none is found."""
        value = row[name]
        try:
            row[name] = guess = in_fractions(value)
            for _ in range(MOST_STEPS):
                missed = self._difference(rows, now)
                if not missed:
                    return guess
                row[name] = guess + 1
                slope = self._difference(rows, now) - missed
                row[name] = guess = guess - missed / slope
        except (NotConstant, ValueError, ArithmeticError, TypeError, LookupError):
            return None
        finally:
            row[name] = value
        return None

    def _difference(self, rows: Rows, now: datetime.datetime) -> Fraction:
        return _value(self.left, rows, now) - _value(self.right, rows, now)


def in_fractions(value: Any) -> Fraction:
    """A number, or the days from 1970 to a date or moment. Raises NotConstant for NULL, ValueError for other texts."""
    if value is None:
        raise NotConstant
    if isinstance(value, str):
        found = number(value)
        value = as_moment(value) if found is None else found
    if isinstance(value, datetime.date):
        seconds = as_moment(value) - _EPOCH
        return Fraction(seconds // datetime.timedelta(seconds=1), 86400)
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


def as_day(days: Fraction) -> datetime.datetime:
    """The moment so many days after 1970."""
    return _EPOCH + datetime.timedelta(seconds=round(days * 86400))


def _value(node: exp.Expr, rows: Rows, now: datetime.datetime) -> Fraction:
    """What an expression is in the first of the rows, and an aggregate in all of them; roundings are left out."""
    if isinstance(node, exp.Column):
        return in_fractions(rows[0][node.meta["column"][1]])
    if isinstance(node, exp.Interval):
        return sum((Fraction(amount) * _unit(unit) for amount, unit in interval_of(node)), Fraction())
    if (known := constant(node, now)) is not None:
        return in_fractions(known)
    if type(node) in _AGGREGATES:
        values = [value for row in rows if (value := _or_none(node.this, [row], now)) is not None]
        return _AGGREGATES[type(node)](values)
    if isinstance(node, exp.Coalesce):
        values = [value for part in (node.this, *node.expressions) if (value := _or_none(part, rows, now)) is not None]
        return values[0]
    if isinstance(node, exp.Neg):
        return -_value(node.this, rows, now)
    if isinstance(node, exp.Abs):
        return abs(_value(node.this, rows, now))
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        return _later(node.left, interval_of(node.expression), 1 if isinstance(node, exp.Add) else -1, rows, now)
    if type(node) in _ARITHMETIC and isinstance(node, exp.Binary):
        return _ARITHMETIC[type(node)](_value(node.left, rows, now), _value(node.right, rows, now))
    return _of_dates(node, rows, now)


def _or_none(node: exp.Expr, rows: Rows, now: datetime.datetime) -> Fraction | None:
    try:
        return _value(node, rows, now)
    except NotConstant:
        return None


def _of_dates(node: exp.Expr, rows: Rows, now: datetime.datetime) -> Fraction:
    if isinstance(node, exp.DateAdd | exp.DateSub):
        amount = float(_value(node.expression, rows, now))
        sign = 1 if isinstance(node, exp.DateAdd) else -1
        return _later(node.this, [(amount, node.text("unit") or "day")], sign, rows, now)
    if isinstance(node, exp.DateDiff | exp.TimestampDiff):
        unit = _unit(node.text("unit") or "day")
        return (_value(node.this, rows, now) - _value(node.expression, rows, now)) / unit
    if isinstance(node, exp.Extract):
        part = "second" if node.name.lower() == "epoch" else node.name
        return _value(node.expression, rows, now) / _unit(part)
    if isinstance(node, exp.TimeToUnix) or (isinstance(node, exp.TimeToStr) and node.text("format") == "%s"):
        return _value(node.this, rows, now) * 86400
    if isinstance(node, exp.Anonymous):
        return _named(node, rows, now)
    if isinstance(node, exp.Paren | exp.Cast | exp.Func | exp.Nullif) and not isinstance(node, exp.AggFunc):
        return _value(node.this, rows, now)  # a rounding, or a change of type
    raise NotConstant


def _named(node: exp.Anonymous, rows: Rows, now: datetime.datetime) -> Fraction:
    name, arguments = node.name.lower(), node.expressions
    if name in _DIFFERENCES and len(arguments) > 1:
        return _value(arguments[-2], rows, now) - _value(arguments[-1], rows, now)
    if name in ("date", "datetime") and len(arguments) > 1:
        moment = as_day(_value(arguments[0], rows, now))
        return in_fractions(moved(moment, [str(constant(argument, now)) for argument in arguments[1:]]))
    if len(arguments) != 1:
        raise NotConstant
    return _value(arguments[0], rows, now) * (86400 if name in _IN_SECONDS else 1)


def _later(
    node: exp.Expr, amounts: Sequence[tuple[float, str]], sign: int, rows: Rows, now: datetime.datetime
) -> Fraction:
    moment: datetime.date = as_day(_value(node, rows, now))
    for amount, unit in amounts:
        moment = shifted(moment, sign * amount, unit)
    return in_fractions(moment)


def _unit(name: str) -> Fraction:
    unit = name.lower().rstrip("s")
    if unit not in _DAYS:
        raise NotConstant
    return _DAYS[unit]


def partitions(rows: Sequence[Sequence[Any]], places: Sequence[int]) -> list[list[int]]:
    """The numbers of the rows that have the same values in some places."""
    keys = [tuple(repr(row[j]) for j in places) for row in rows]
    ordered = sorted(range(len(rows)), key=lambda i: keys[i])
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda i: keys[i])]
