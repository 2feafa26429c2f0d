"""Single changes of a query, wrong ones and harmless ones, to measure a judge of SQL with.

`mutants` changes the meaning (a few mutants happen to mean the same: they count against the judge that is measured).
`rewrites` changes the spelling only.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence

import sqlglot
from sqlglot import exp

Change = tuple[str, str]
"""Kind of the change and the changed query."""

SWAPS: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.NEQ, exp.NEQ: exp.EQ, exp.GT: exp.GTE, exp.GTE: exp.GT, exp.LT: exp.LTE, exp.LTE: exp.LT,
    exp.And: exp.Or, exp.Or: exp.And, exp.Max: exp.Min, exp.Min: exp.Max, exp.Sum: exp.Avg, exp.Avg: exp.Sum,
    exp.Union: exp.Intersect, exp.Intersect: exp.Except, exp.Except: exp.Union,
}  # fmt: skip
MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ, exp.NEQ: exp.NEQ, exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE,
}  # fmt: skip
DATE = re.compile(r"\d{4}-\d\d-\d\d")
CLAUSES = ("where", "group", "having", "order", "limit", "distinct")


def mutants(query: str, dialect: str, columns: Sequence[str], rng: random.Random, most: int = 12) -> list[Change]:
    """At most so many different mutants, drawn by `rng`, in the dialect of the query. `columns`: names to swap in."""
    tree = sqlglot.parse_one(query, read=dialect)
    found = {text: kind for kind, text in changed(tree, dialect, lambda node: _node_mutants(node, columns))}
    found.pop(tree.sql(dialect=dialect), None)
    changes = sorted((kind, text) for text, kind in found.items())
    return rng.sample(changes, min(most, len(changes)))


def rewrites(query: str, dialect: str) -> list[Change]:
    """Queries that mean the same: swapped sides, swapped AND, quoted numbers, double negation, COUNT(1), an alias."""
    tree = sqlglot.parse_one(query, read=dialect)
    found = {text: kind for kind, text in changed(tree, dialect, _node_rewrites)}
    found.pop(tree.sql(dialect=dialect), None)
    return [(kind, text) for text, kind in found.items()]


def changed(
    tree: exp.Expr, dialect: str, changes: Callable[[exp.Expr], Iterator[tuple[str, exp.Expr | None]]]
) -> Iterator[Change]:
    """The query once for each change of one of its nodes; None stands for dropping the node."""
    for place, node in enumerate(tree.walk()):
        for kind, replacement in changes(node):
            copy = tree.copy()
            target = list(copy.walk())[place]
            if target is copy and replacement is not None:
                copy = replacement
            elif replacement is None:
                target.pop()
            else:
                target.replace(replacement)
            yield kind, copy.sql(dialect=dialect)


def _node_mutants(node: exp.Expr, columns: Sequence[str]) -> Iterator[tuple[str, exp.Expr | None]]:
    if other := SWAPS.get(type(node)):
        kind = (
            "and/or"
            if isinstance(node, exp.Connector)
            else "aggregate"
            if isinstance(node, exp.AggFunc)
            else "operator"
        )
        yield kind, other(**{name: _copied(value) for name, value in node.args.items()})
    if isinstance(node, exp.And | exp.Or):
        yield "dropped condition", node.left.copy()
        yield "dropped condition", node.right.copy()
    if isinstance(node, exp.Ordered) and not node.find_ancestor(exp.WithinGroup):
        yield "order", exp.Ordered(this=node.this.copy(), desc=not node.args.get("desc"))
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Column):
        yield "distinct", exp.Count(this=exp.Distinct(expressions=[node.this.copy()]))
    elif isinstance(node, exp.Count) and isinstance(node.parent, exp.Select):
        yield "column", None
    if node.arg_key in CLAUSES and isinstance(node.parent, exp.Query):
        yield f"no {node.arg_key.upper()}", None
    if isinstance(node, exp.Select) and _may_repeat_rows(node):
        yield "distinct", node.copy().distinct()
    if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
        for name in columns:
            if name.lower() != node.name.lower():
                yield "column", exp.column(name, table=node.table or None)
    if isinstance(node, exp.Literal) and _decides(node):
        yield from _constant_mutants(node)


def _decides(constant: exp.Literal) -> bool:
    """Whether a value matters: not below EXISTS. Intervals and dates are changed in `sql_value_mutants`."""
    if isinstance(constant.parent, exp.Interval | exp.IntervalOp | exp.Neg) or DATE.fullmatch(constant.name):
        return False
    return not (isinstance(constant.parent, exp.Select) and isinstance(constant.parent.parent, exp.Exists))


def _may_repeat_rows(select: exp.Select) -> bool:
    """Whether DISTINCT would matter: not below IN or a set operation, not for one row, not for groups."""
    shaped = any(select.args.get(clause) for clause in ("distinct", "group", "limit"))
    return select.parent is None and not shaped and not any(part.find(exp.AggFunc) for part in select.selects)


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, exp.Expr) else value


def _constant_mutants(node: exp.Literal) -> Iterator[tuple[str, exp.Expr]]:
    if not node.is_string:
        yield "constant", exp.Literal.number(float(node.this) + 1 if "." in node.this else int(node.this) + 1)
        return
    yield "constant", exp.Literal.string(node.this + "x")
    if len(node.this) > 1:
        yield "constant", exp.Literal.string(node.this[:-1])


def _node_rewrites(node: exp.Expr) -> Iterator[tuple[str, exp.Expr | None]]:
    if isinstance(node, exp.Binary) and (other := MIRRORED.get(type(node))):
        yield "mirrored", other(this=node.right.copy(), expression=node.left.copy())
        yield "double negation", exp.Not(this=exp.Not(this=exp.Paren(this=node.copy())))
    if isinstance(node, exp.And):
        yield "swapped", exp.And(this=node.right.copy(), expression=node.left.copy())
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        yield "count(1)", exp.Count(this=exp.Literal.number(1))
    if isinstance(node, exp.Literal) and _beside_column(node):
        yield "quoted number", exp.Literal.string(node.this)
    if isinstance(node, exp.Column) and node.arg_key == "expressions" and _is_outermost(node.parent):
        yield "alias", exp.alias_(node.copy(), "answer")


def _is_outermost(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Select) and node.parent is None


def _beside_column(node: exp.Literal) -> bool:
    """A number compared with a column: its column's type decides, so quotes change nothing. A computed one has none in SQLite."""
    if node.root().find(exp.CTE, exp.Subquery):
        return False
    compared = isinstance(node.parent, exp.EQ | exp.GT | exp.GTE | exp.LT | exp.LTE)
    return compared and not node.is_string and isinstance(node.parent.this, exp.Column)  # type: ignore[union-attr]
