"""Single wrong changes that only certain values expose: NULL, fractions, a time of day, booleans, dates, signs, case.

Each is made where the type of a column makes a difference possible. Some still mean the same as the query (no row can tell
`COUNT(*)` from `COUNT(city)` below `WHERE city = 'Rome'`): the plainest of these are left out, the rest count as survivors.
"""

import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import sqlglot
from sqlglot import exp

from benchmarks.sql_mutants import DATE, Change, changed
from finetune_flows.tasks.sql.column_types import NUMBERS
from finetune_flows.tasks.sql.schema import TableColumn

Columns = Mapping[str, TableColumn]
"""By lower-case name."""
Replacements = Iterator[tuple[str, exp.Expr | None]]

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
UNITS = {"YEAR": "MONTH", "MONTH": "YEAR", "DAY": "MONTH", "HOUR": "DAY", "WEEK": "MONTH", "QUARTER": "MONTH"}
STRFTIME = {"%Y": "%m", "%m": "%Y", "%d": "%m", "%Y-%m": "%Y"}
PARTS: dict[type[exp.Expr], type[exp.Func]] = {exp.Year: exp.Month, exp.Month: exp.Year, exp.Day: exp.Month}
IGNORES_CASE = {"mysql"}  # its default collation


def value_mutants(query: str, dialect: str, columns: Columns, rng: random.Random, most: int = 12) -> list[Change]:
    """At most `most` different mutants, drawn by `rng`. `columns`: those of the query's tables."""
    tree = sqlglot.parse_one(query, read=dialect)
    found = {text: kind for kind, text in changed(tree, dialect, lambda node: _of_node(node, columns, dialect))}
    found.pop(tree.sql(dialect=dialect), None)
    changes = sorted((kind, text) for text, kind in found.items())
    return rng.sample(changes, min(most, len(changes)))


def _of_node(node: exp.Expr, columns: Columns, dialect: str) -> Replacements:
    yield from _nulls(node, columns)
    yield from _numbers(node, columns)
    yield from _booleans(node, columns)
    yield from _dates(node)
    yield from _times_of_day(node, columns, dialect)
    if dialect not in IGNORES_CASE:
        yield from _case(node, columns, dialect)


def _nulls(node: exp.Expr, columns: Columns) -> Replacements:
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        for name in _free(node, columns):
            yield "NULL", exp.Count(this=exp.column(columns[name].name))
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        if isinstance(node.parent, exp.Not):
            return
        yield "NULL", exp.Not(this=node.copy())
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Is):
        yield "NULL", node.this.copy()
    if isinstance(node, exp.Coalesce):
        yield "NULL", node.this.copy()
    column = _column(node.this, columns) if isinstance(node, exp.Avg | exp.Min) else None
    if column and column.type.kind in NUMBERS and not column.required:
        yield "NULL", type(node)(this=_coalesced(node.this))


def _free(node: exp.Expr, columns: Columns) -> list[str]:
    """Columns that can be NULL in the rows counted, as far as can be told: nothing but the list of SELECT names them."""
    select = node.find_ancestor(exp.Select)
    clauses = [part for name, part in select.args.items() if name != "expressions"] if select else []
    parts = [part for clause in clauses for part in (clause if isinstance(clause, list) else [clause])]
    named = {
        column.name.lower() for part in parts if isinstance(part, exp.Expr) for column in part.find_all(exp.Column)
    }
    return [name for name, column in columns.items() if not column.required and name not in named]


def _coalesced(value: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=value.copy(), expressions=[exp.Literal.number(0)])


def _numbers(node: exp.Expr, columns: Columns) -> Replacements:
    if isinstance(node, exp.Round | exp.Floor | exp.Ceil) and not isinstance(node.parent, exp.Cast):
        yield "rounding", node.this.copy()
        if not isinstance(node, exp.Round):
            other = exp.Ceil if isinstance(node, exp.Floor) else exp.Floor
            yield "rounding", other(this=node.this.copy())
        elif node.args.get("decimals"):
            yield "rounding", exp.Round(this=node.this.copy(), decimals=exp.Literal.number(0))
    whole = isinstance(node.this, exp.Round | exp.Floor | exp.Ceil | exp.Extract | exp.Case)
    if isinstance(node, exp.Cast) and node.is_type(*exp.DataType.INTEGER_TYPES) and not whole:
        yield "rounding", exp.Floor(this=node.this.copy())
        yield "rounding", node.this.copy()
    if isinstance(node, exp.Abs):
        yield "sign", node.this.copy()
    column = _column(node, columns)
    if (
        column
        and _has_fractions(column)
        and isinstance(node.parent, exp.Sum | exp.Avg | exp.Max | exp.Min | exp.Select)
    ):
        yield "rounding", exp.Round(this=node.copy())
    signed = column and column.type.kind in NUMBERS - {"year"} and not column.unique and not _is_key(column)
    if signed and isinstance(node.parent, exp.Sum | exp.Avg | exp.Max | exp.Select):
        yield "sign", exp.Abs(this=node.copy())


def _is_key(column: TableColumn) -> bool:
    return column.name.lower().endswith("id")


def _has_fractions(column: TableColumn) -> bool:
    return column.type.kind == "float" or (column.type.kind == "decimal" and column.type.scale > 0)


def _booleans(node: exp.Expr, columns: Columns) -> Replacements:
    if isinstance(node, exp.Boolean):
        yield "boolean", exp.Boolean(this=not node.this)
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Column):
        yield "boolean", node.this.copy()
    column = _column(node, columns)
    in_condition = isinstance(node.parent, exp.Where | exp.Connector | exp.If) and node.arg_key != "true"
    if column and column.type.kind == "boolean" and in_condition:
        yield "boolean", exp.Not(this=node.copy())
        if not column.required:
            unknown = exp.Paren(this=exp.or_(node.copy(), exp.Is(this=node.copy(), expression=exp.Null())))
            yield "boolean", unknown


def _dates(node: exp.Expr) -> Replacements:
    if isinstance(node, exp.Interval) and node.unit:
        if isinstance(node.this, exp.Literal) and node.this.name.isdigit():
            literal = exp.Literal(this=str(int(node.this.name) + 1), is_string=node.this.is_string)
            yield "date arithmetic", exp.Interval(this=literal, unit=node.unit.copy())
        if other := UNITS.get(node.unit.name.upper()):
            yield "date arithmetic", exp.Interval(this=node.this.copy(), unit=exp.var(other))
    if isinstance(node, exp.IntervalOp) and node.expression.name.isdigit():  # MySQL's DATE_SUB(day, INTERVAL 1 YEAR)
        parts = {"this": node.this.copy(), "unit": node.args["unit"].copy()}
        yield "date arithmetic", type(node)(expression=exp.Literal.string(int(node.expression.name) + 1), **parts)
    if isinstance(node, exp.Extract) and (other := UNITS.get(node.this.name.upper())):
        yield "date arithmetic", exp.Extract(this=exp.var(other), expression=node.expression.copy())
    if part := PARTS.get(type(node)):
        yield "date arithmetic", part(this=node.this.copy())
    if isinstance(node, exp.Literal) and node.is_string:
        yield from _date_constants(node)


def _date_constants(node: exp.Literal) -> Replacements:
    if (other := STRFTIME.get(node.name)) is not None:
        yield "date arithmetic", exp.Literal.string(other)
    unit = UNITS.get(node.name.upper())
    if unit and isinstance(node.parent, exp.Func):  # DATE_TRUNC('month', ...)
        yield "date arithmetic", exp.Literal.string(unit.lower())
    if DATE.fullmatch(node.name):
        try:
            day = date.fromisoformat(node.name)
        except ValueError:
            return
        for other_day in (day + timedelta(1), day - timedelta(1), day.replace(year=day.year + 1, day=1)):
            yield "date arithmetic", exp.Literal.string(other_day.isoformat())


def _times_of_day(node: exp.Expr, columns: Columns, dialect: str) -> Replacements:
    """A timestamp against a date: with and without its time of day. `>=` and `<` see no difference."""
    compared = isinstance(node.parent, exp.EQ | exp.NEQ | exp.GT | exp.LTE | exp.Between) and node.arg_key == "this"
    shown = isinstance(node.parent, exp.Distinct | exp.Group | exp.Select) and node.arg_key == "expressions"
    if _timestamp_in(node, columns) and (shown or (compared and _has_date(node.parent))):
        yield "time of day", _date_of(node, dialect)
    if isinstance(node, exp.Cast) and node.is_type("date") and _timestamp_in(node.this, columns):
        yield "time of day", node.this.copy()
    if isinstance(node, exp.Date) and not node.expressions and _timestamp_in(node.this, columns):
        yield "time of day", node.this.copy()
    if isinstance(node, exp.LT) and isinstance(node.expression, exp.Literal) and DATE.fullmatch(node.expression.name):
        before = date.fromisoformat(node.expression.name) - timedelta(1)
        if _timestamp_in(node.this, columns):
            yield "time of day", exp.LTE(this=node.this.copy(), expression=exp.Literal.string(before.isoformat()))


def _has_date(comparison: exp.Expr | None) -> bool:
    return comparison is not None and any(DATE.match(literal.name) for literal in comparison.find_all(exp.Literal))


def _timestamp_in(value: exp.Expr | None, columns: Columns) -> bool:
    column = _column(value, columns)
    return column is not None and column.type.kind == "timestamp"


def _date_of(value: exp.Expr, dialect: str) -> exp.Expr:
    if dialect == "sqlite":
        return exp.Date(this=value.copy())
    return exp.Cast(this=value.copy(), to=exp.DataType.build("date"))


def _case(node: exp.Expr, columns: Columns, dialect: str) -> Replacements:
    if isinstance(node, exp.Lower | exp.Upper):
        yield "case", node.this.copy()
    if isinstance(node, exp.EQ) and _is_text(node.this, columns) and _has_letters(node.expression):
        yield "case", exp.EQ(this=exp.Lower(this=node.this.copy()), expression=exp.Lower(this=node.expression.copy()))
    if isinstance(node, exp.ILike) and dialect != "sqlite":
        yield "case", exp.Like(this=node.this.copy(), expression=node.expression.copy())
    if isinstance(node, exp.Like) and dialect != "sqlite" and _has_letters(node.expression):
        yield "case", exp.ILike(this=node.this.copy(), expression=node.expression.copy())
    if isinstance(node, exp.Distinct) and len(node.expressions) == 1 and _is_text(node.expressions[0], columns):
        yield "case", exp.Distinct(expressions=[exp.Lower(this=node.expressions[0].copy())])


def _is_text(node: exp.Expr, columns: Columns) -> bool:
    column = _column(node, columns)
    return column is not None and column.type.kind == "text"


def _has_letters(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and node.name.lower() != node.name.upper()


def _column(node: exp.Expr | None, columns: Columns) -> TableColumn | None:
    return columns.get(node.name.lower()) if isinstance(node, exp.Column) else None
