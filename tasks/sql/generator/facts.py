"""What made-up rows need to know of a query: the constants its columns meet, their joins, what is computed of them."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from finetune_flows.tasks.sql.generator.column_functions import JSON_EXTRACTS, Function, followed
from finetune_flows.tasks.sql.generator.constants import number
from finetune_flows.tasks.sql.generator.equations import Equation
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

Path = tuple[str | int, ...]
"""Keys and positions that lead to a value in a JSON document."""


@dataclass(frozen=True)
class Condition:
    """`functions(column) operator values`.

    Operators: = <> > >= < <= in, null, like (pattern, escape sign, blind to case), regexp (pattern, blind to case), and
    each after `not `. "near": the values play some part that is not understood.
    """

    operator: str
    values: tuple[Any, ...] = ()
    functions: tuple[Function, ...] = ()


@dataclass
class QueryFacts:
    """What the rows need to know of the gold query and the predicted one.

    conditions: what the gold asks of a column. hints: more values that matter to either query. links: columns whose
    values meet. numeric, temporal: texts are read as numbers or dates there. formats: as dates in this form.
    functions, arguments: names of what is computed of a column, with the constants in it. paths: into JSON documents.
    positive: zero or less would be an error or change the sense of a comparison. counted: a count of it is a divisor.
    extremes, tallied: columns below MAX or MIN, and below COUNT.
    equations: comparisons of computed values. now: for the dates that queries reckon from it.
    """

    now: datetime.datetime
    conditions: dict[Column, list[Condition]] = field(default_factory=dict)
    hints: dict[Column, list[Condition]] = field(default_factory=dict)
    links: list[tuple[Column, Column]] = field(default_factory=list)
    numeric: set[Column] = field(default_factory=set)
    temporal: set[Column] = field(default_factory=set)
    formats: dict[Column, str] = field(default_factory=dict)
    functions: dict[Column, set[str]] = field(default_factory=dict)
    arguments: dict[Column, list[str | int | float]] = field(default_factory=dict)
    paths: dict[Column, list[Path]] = field(default_factory=dict)
    positive: set[Column] = field(default_factory=set)
    counted: set[Column] = field(default_factory=set)
    aggregated: set[Column] = field(default_factory=set)
    extremes: set[Column] = field(default_factory=set)
    tallied: set[Column] = field(default_factory=set)
    grouped: set[Column] = field(default_factory=set)
    determined: set[tuple[Column, str]] = field(default_factory=set)
    equations: list[Equation] = field(default_factory=list)
    checks: dict[Column, list[Condition]] = field(default_factory=dict)
    group_size: int = 0

    def of(self, column: Column) -> list[Condition]:
        """All that either query and the schema say about the values of a column, the gold's conditions first."""
        return [*self.conditions.get(column, ()), *self.checks.get(column, ()), *self.hints.get(column, ())]

    def add_hints(self, other: "QueryFacts") -> None:
        """Take in what the prediction looks at. It may only add values: never decide what the gold finds."""
        for column in dict.fromkeys([*other.conditions, *other.hints]):
            own = self.of(column)
            hints = [condition for condition in other.of(column) if condition not in own]
            self.hints.setdefault(column, []).extend(hints)
        self.numeric |= {column for column in other.numeric if self._is_free(column)}
        self.temporal |= {column for column in other.temporal if self._is_free(column)}
        for column, paths in other.paths.items():
            self.paths[column] = list(dict.fromkeys([*self.paths.get(column, ()), *paths]))
        for column, arguments in other.arguments.items():
            own_arguments = self.arguments.setdefault(column, [])
            own_arguments.extend(argument for argument in arguments if argument not in own_arguments)
        for column, names in other.functions.items():
            self.functions.setdefault(column, set()).update(names)
        self.positive |= other.positive
        self.counted |= other.counted
        self.extremes |= other.extremes
        self.tallied |= other.tallied
        self.equations.extend(equation for equation in other.equations if equation not in self.equations)
        self.group_size = max(self.group_size, other.group_size)

    def _is_free(self, column: Column) -> bool:
        """Whether the gold leaves open what a text column holds."""
        return not self.conditions.get(column) and not self.functions.get(column)


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
            if isinstance(parent, exp.Max | exp.Min):
                facts.extremes.add(column)
            if isinstance(parent, exp.Count):
                facts.tallied.add(column)
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
