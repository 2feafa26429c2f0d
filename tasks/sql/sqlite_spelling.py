"""The SQLite that queries in other dialects are written in: what sqlglot leaves as it is and SQLite does not know, respelt.

Dates are text in ISO form, as SQLite's own functions have it. What has no counterpart here (regular expressions, arrays,
STR_TO_DATE, GROUP BY ALL, LATERAL, medians) is left to fail: a gold query that needs it is counted apart.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.generators.sqlite import SQLiteGenerator

PARTS = {
    "YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "SECOND": "%S",
    "DOW": "%w", "DOY": "%j", "EPOCH": "%s",
}  # fmt: skip
_STEPS = {
    "YEAR": (1, "years"), "QUARTER": (3, "months"), "MONTH": (1, "months"), "WEEK": (7, "days"), "DAY": (1, "days"),
    "HOUR": (1, "hours"), "MINUTE": (1, "minutes"), "SECOND": (1, "seconds"),
}  # fmt: skip
STARTS = {"YEAR": ", 'start of year'", "MONTH": ", 'start of month'", "DAY": ""}

Transform = Callable[[Any, Any], str]


def _part(unit: str) -> Transform:
    """A function of a date that is one of its numbers."""
    return lambda self, node: f"CAST(STRFTIME('{PARTS[unit]}', {self.sql(node, 'this')}) AS INTEGER)"


def _extract(self: SQLiteGenerator, node: exp.Extract) -> str:
    unit = node.name.upper()
    if unit not in PARTS:
        return self.function_fallback_sql(node)
    return _part(unit)(self, exp.Paren(this=node.expression))


def _shift(sign: int) -> Transform:
    """A date and an amount of some unit."""

    def spell(self: SQLiteGenerator, node: exp.Expr) -> str:
        times, unit = _STEPS[(node.text("unit") or "day").upper().rstrip("S")]
        amount = node.expression
        whole = str(amount.name).lstrip("-").isdigit() and isinstance(amount, exp.Literal)
        step = (
            f"'{sign * times * int(amount.name)} {unit}'"
            if whole
            else f"(({self.sql(amount)}) * {sign * times}) || ' {unit}'"
        )
        return f"{'DATE' if unit in ('years', 'months', 'days') else 'DATETIME'}({self.sql(node, 'this')}, {step})"

    return spell


def _plus_interval(sign: int, otherwise: str) -> Transform:
    """`date + INTERVAL '1' MONTH`; any other sum stays one."""

    def spell(self: SQLiteGenerator, node: exp.Binary) -> str:
        interval = node.expression
        if not isinstance(interval, exp.Interval) or interval.this is None:
            return self.binary(node, otherwise)
        return _shift(sign)(self, exp.DateAdd(this=node.this, expression=interval.this, unit=interval.args.get("unit")))

    return spell


def _truncate(self: SQLiteGenerator, node: exp.TimestampTrunc | exp.DateTrunc) -> str:
    unit = node.text("unit").upper()
    return f"DATE({self.sql(node, 'this')}{STARTS[unit]})" if unit in STARTS else self.function_fallback_sql(node)


def _anonymous(self: SQLiteGenerator, node: exp.Anonymous) -> str:
    """DuckDB's date_part('year', d), which sqlglot takes for a function of the user's."""
    if node.name.lower() == "date_part" and len(node.expressions) == 2:
        return _extract(self, exp.Extract(this=exp.var(node.expressions[0].name), expression=node.expressions[1]))
    return self.anonymous_sql(node)


class SandboxSQLite(SQLite):
    """SQLite takes an unknown "name" for a string, but an unknown `name` for what it is: an error."""

    class Tokenizer(SQLite.Tokenizer):
        """Names are written between backticks."""

        IDENTIFIERS = ["`", '"', ("[", "]")]  # noqa: RUF012

    class Generator(SQLiteGenerator):
        """Functions of dates and text in SQLite's words."""

        TRANSFORMS: ClassVar[dict[type[exp.Expr], Transform]] = {
            **SQLiteGenerator.TRANSFORMS,
            **{
                getattr(exp, unit.title()): _part(unit) for unit in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
            },
            exp.DayOfMonth: _part("DAY"),
            exp.DayOfYear: _part("DOY"),
            exp.DayOfWeek: lambda self, node: f"({_part('DOW')(self, node)} + 1)",
            exp.Quarter: lambda self, node: f"(({_part('MONTH')(self, node)} + 2) / 3)",
            exp.Extract: _extract,
            exp.Anonymous: _anonymous,
            exp.DateAdd: _shift(1),
            exp.DateSub: _shift(-1),
            exp.Add: _plus_interval(1, "+"),
            exp.Sub: _plus_interval(-1, "-"),
            exp.DateTrunc: _truncate,
            exp.TimestampTrunc: _truncate,
            exp.Left: lambda self, node: self.func("SUBSTR", node.this, exp.Literal.number(1), node.expression),
            exp.Right: lambda self, node: self.func("SUBSTR", node.this, exp.Neg(this=node.expression)),
        }
