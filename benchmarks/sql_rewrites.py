"""Other spellings of a query that mean the same in its dialect, to measure a judge of SQL with."""

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp

from benchmarks.sql_mutants import Change, changed
from finetune_flows.tasks.sql.schema import TableColumn

Replacements = Iterator[tuple[str, exp.Expr | None]]
NESTED = (exp.Where, exp.Having, exp.Connector, exp.Paren)


def value_rewrites(query: str, dialect: str, columns: Mapping[str, TableColumn]) -> list[Change]:
    """NULL handling, ranges, lists, booleans and years said otherwise; the whole query as a subquery and behind WITH."""
    tree = sqlglot.parse_one(query, read=dialect)
    found = {text: kind for kind, text in changed(tree, dialect, lambda node: _of_node(node, dialect, columns))}
    found |= {text: kind for kind, text in _wrapped(tree, dialect)}
    found.pop(tree.sql(dialect=dialect), None)
    return [(kind, text) for text, kind in found.items()]


def _of_node(node: exp.Expr, dialect: str, columns: Mapping[str, TableColumn]) -> Replacements:
    if isinstance(node, exp.Coalesce) and len(node.expressions) == 1:
        there = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
        yield "CASE", exp.Case(ifs=[exp.If(this=there, true=node.this.copy())], default=node.expressions[0].copy())
    if isinstance(node, exp.Between) and not node.args.get("symmetric"):
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
        yield "range", exp.Paren(this=exp.And(this=low, expression=high))
    if isinstance(node, exp.In) and node.expressions:
        equal = [exp.EQ(this=node.this.copy(), expression=value.copy()) for value in node.expressions]
        yield "list", exp.Paren(this=exp.or_(*equal, copy=False))
    if isinstance(node, exp.NEQ):
        yield "negation", exp.Not(this=exp.Paren(this=exp.EQ(this=node.this.copy(), expression=node.expression.copy())))
    if isinstance(node, exp.Or) and isinstance(node.parent, NESTED):
        sides = (exp.Not(this=exp.Paren(this=side.copy())) for side in (node.left, node.right))
        yield (
            "De Morgan",
            exp.Not(this=exp.Paren(this=exp.And(**dict(zip(("this", "expression"), sides, strict=True))))),
        )
    if isinstance(node, exp.Column) and isinstance(node.parent, exp.Where | exp.And):
        column = columns.get(node.name.lower())
        if column and column.type.kind == "boolean":
            yield "boolean", exp.EQ(this=node.copy(), expression=exp.Boolean(this=True))
            yield "boolean", exp.Is(this=node.copy(), expression=exp.Boolean(this=True))
    if dialect != "sqlite":  # dates are text there
        yield from _years(node)


def _years(node: exp.Expr) -> Replacements:
    """A condition on the year as a range of days."""
    if not isinstance(node, exp.EQ) or not node.expression.is_int or isinstance(node.parent, exp.Select):
        return
    part = node.this
    of_year = isinstance(part, exp.Extract) and part.this.name.upper() == "YEAR"
    column = part.expression if of_year else part.this if isinstance(part, exp.Year) else None
    while isinstance(column, exp.TsOrDsToDate):
        column = column.this
    if isinstance(column, exp.Column):
        year = int(node.expression.name)
        first = exp.GTE(this=column.copy(), expression=exp.Literal.string(f"{year}-01-01"))
        last = exp.LT(this=column.copy(), expression=exp.Literal.string(f"{year + 1}-01-01"))
        yield "year", exp.Paren(this=exp.And(this=first, expression=last))


def _wrapped(tree: exp.Expr, dialect: str) -> Iterator[Change]:
    names = tree.named_selects if isinstance(tree, exp.Select) else []
    shaped = any(tree.args.get(clause) for clause in ("order", "limit", "offset", "with", "with_", "fetch"))
    if not names or shaped or "*" in names or len({name.lower() for name in names}) < len(names) or not all(names):
        return
    text = tree.sql(dialect=dialect)
    yield "subquery", f"SELECT * FROM ({text}) AS inner_query"
    yield "WITH", f"WITH inner_query AS ({text}) SELECT * FROM inner_query"
