"""What a query computes of its columns: whether texts must be numbers or dates, and what a value may not be."""

from collections.abc import Iterable

from sqlglot import exp

from finetune_flows.tasks.sql.constants import number
from finetune_flows.tasks.sql.facts import QueryFacts
from finetune_flows.tasks.sql.functions import JSON_EXTRACTS, followed
from finetune_flows.tasks.sql.schema import Column, Schema

_NUMERIC = exp.Sum | exp.Avg | exp.Abs | exp.Round | exp.Floor | exp.Ceil | exp.Mul | exp.Div | exp.Mod | exp.Sqrt
_DATE_NODES = (
    exp.Year | exp.Month | exp.Day | exp.Hour | exp.Minute | exp.Second | exp.Quarter | exp.Week | exp.DayOfMonth
    | exp.DayOfWeek | exp.DayOfYear | exp.Dayname | exp.Monthname | exp.LastDay | exp.Extract | exp.TimeToStr
    | exp.TimestampTrunc | exp.DateTrunc | exp.DateDiff | exp.TimestampDiff | exp.DateAdd | exp.DateSub | exp.Date
    | exp.TsOrDsToDate | exp.TsOrDsToTimestamp | exp.DateStrToDate | exp.UnixToTime
)  # fmt: skip
_DATE_NAMES = {
    "date", "datetime", "time", "julianday", "unixepoch", "strftime", "date_part", "age", "weekday", "dayofweek", "isodow",
    "date_sub", "datesub", "period_diff", "to_days",
}  # fmt: skip
_POSITIVE_NAMES = {"ln", "log", "sqrt", "log10", "log2"}
_STOPS = exp.Connector | exp.Query | exp.If | exp.Exists | exp.Window | exp.Between | exp.In | exp.Predicate
_LOOKED_INTO = exp.Any | exp.EQ | exp.ArrayContainsAll | exp.ArrayContains | exp.ArrayOverlaps | exp.JSONBContainsTopKey


def read_computations(references: Iterable[tuple[exp.Column, Column]], schema: Schema, facts: QueryFacts) -> None:
    """Collect what is computed of each reference to a column."""
    for reference, column in references:
        functions = facts.functions.setdefault(column, set())
        node: exp.Expr = reference
        bare = True  # nothing has turned the column's value into one of another kind yet
        while (parent := node.parent) is not None and not _is_end(parent, schema[column].type.kind):
            functions.add(_name(parent))
            _read_arguments(column, parent, facts)
            if isinstance(parent, exp.Sum | exp.Avg | exp.Max | exp.Min):
                facts.aggregated.add(column)
            if bare:
                _read_kind(column, parent, facts)
            _read_divisor(column, node, parent, facts)
            bare = bare and isinstance(parent, exp.Paren | exp.Max | exp.Min | exp.Coalesce | exp.Neg)
            if isinstance(parent, JSON_EXTRACTS) and (understood := followed(parent)):
                path = tuple(step for name, *steps in understood[1] if name == "path" for step in steps)
                facts.paths.setdefault(column, []).append(path)
            node = parent


def _is_end(node: exp.Expr, kind: str) -> bool:
    """Where a computation ends: at a condition, but for those that look into an array or a document."""
    if kind in ("array", "json") and isinstance(node, _LOOKED_INTO):
        return False
    return isinstance(node, _STOPS) or not isinstance(node, exp.Condition | exp.Interval | exp.Any | exp.Unnest)


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Cast):
        return "cast_integer" if node.to.this in exp.DataType.INTEGER_TYPES else "cast"
    return type(node).__name__.lower()


def _read_arguments(column: Column, node: exp.Expr, facts: QueryFacts) -> None:
    parts = [value for value in node.args.values() if isinstance(value, exp.Literal)]
    for value in node.args.values():
        if isinstance(value, list):
            parts += [part for part in value if isinstance(part, exp.Literal)]
        elif isinstance(value, exp.Array):
            parts += [part for part in value.expressions if isinstance(part, exp.Literal)]
    arguments = facts.arguments.setdefault(column, [])
    for part in parts:
        value = str(part.this) if part.is_string else number(part.this)
        if value is not None and value not in arguments:
            arguments.append(value)


def _read_kind(column: Column, node: exp.Expr, facts: QueryFacts) -> None:
    """Whether the values of a text column must be numbers or dates."""
    if isinstance(node, exp.StrToDate | exp.StrToTime):
        facts.formats[column] = node.text("format")
        facts.temporal.add(column)
    elif _makes_date(node):
        facts.temporal.add(column)
    elif isinstance(node, _NUMERIC) or (isinstance(node, exp.Cast) and node.to.this in exp.DataType.NUMERIC_TYPES):
        facts.numeric.add(column)
    elif isinstance(node, exp.Add | exp.Sub):
        if node.find(exp.Interval):
            facts.temporal.add(column)
        else:
            facts.numeric.add(column)


def _makes_date(node: exp.Expr) -> bool:
    cast = isinstance(node, exp.Cast) and node.to.this in exp.DataType.TEMPORAL_TYPES
    return cast or isinstance(node, _DATE_NODES) or _name(node) in _DATE_NAMES


def _read_divisor(column: Column, node: exp.Expr, parent: exp.Expr, facts: QueryFacts) -> None:
    """What is divided by may not be zero; writers who do not guard against it take the column for positive."""
    if _name(parent) in _POSITIVE_NAMES:
        facts.positive.add(column)
    if not isinstance(parent, exp.Div | exp.IntDiv | exp.Mod) or node is not parent.expression:
        return
    inside = [exp.Paren, exp.Cast]
    inner = node
    while type(inner) in inside:
        inner = inner.this
    if isinstance(inner, exp.Count):
        facts.counted.add(column)
    elif not isinstance(inner, exp.Nullif) and not parent.find_ancestor(exp.If, exp.Case):
        facts.positive.add(column)
