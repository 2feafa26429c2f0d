"""Where the ORDER BY of a gold query leaves the order of its rows open.

A query may return rows that tie in any order, and a LIMIT that cuts through such rows returns an accident. Neither may
be held against a prediction. So the gold is run once more with its sort keys shown, and one row beyond its LIMIT. (All
rows tie where there is no ORDER BY.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.query import Query


@dataclass(frozen=True)
class Witness:
    """`query` returns the gold's rows from the first to one beyond the last, and its sort keys, which stand at `keys`."""

    query: Query
    keys: tuple[int, ...]
    offset: int
    limit: int | None

    def blocks(self, rows: Sequence[Row]) -> list[int] | None:
        """Where each run of ties ends in the gold's result; None when its LIMIT cuts through rows that tie."""
        keys = [tuple(row[i] for i in self.keys) for row in rows]
        ends = [i for i in range(1, len(rows) + 1) if i == len(rows) or keys[i] != keys[i - 1]]
        start = min(self.offset, len(rows))
        stop = len(rows) if self.limit is None else min(start + self.limit, len(rows))
        if not {start, stop} <= {0, *ends}:
            return None
        return [end - start for end in ends if start < end <= stop]


def witness(tree: exp.Expr | None, spell: Callable[[exp.Expr], Query]) -> Witness | None:
    """The witness of a query with ORDER BY or LIMIT; None when it has neither, or one that is not understood.

    `spell` writes a tree as the database that will run it wants it.
    """
    if not isinstance(tree, exp.Query) or not (tree.args.get("order") or tree.args.get("limit")):
        return None
    offset, limit = _count(tree.args.get("offset"), 0), _count(tree.args.get("limit"), None)
    if offset is None or (limit is None and tree.args.get("limit")):
        return None
    query = tree.copy()
    query.set("limit", None if limit is None else exp.Limit(expression=exp.Literal.number(offset + limit + 1)))
    query.set("offset", None)
    keys: list[int] = []
    added: list[exp.Expr] = []
    order = tree.args.get("order")
    for ordered in order.expressions if order else ():
        place = _place(tree, ordered.this)
        if place is None:
            added.append(ordered.this.copy())
            place = -len(added)
        keys.append(place)
    if added and (not isinstance(query, exp.Select) or query.args.get("distinct")):
        return None
    for key in reversed(added):
        query = query.select(key, copy=False)
    return Witness(spell(query), tuple(keys), offset, limit)


def _place(tree: exp.Query, key: exp.Expr) -> int | None:
    """Which column of the result a sort key is, by number, alias or the same words."""
    if any(projection.is_star for projection in tree.selects):
        return None
    if isinstance(key, exp.Literal) and not key.is_string:
        return int(key.this) - 1 if key.this.isdigit() and 0 < int(key.this) <= len(tree.selects) else None
    for i, projection in enumerate(tree.selects):
        named = isinstance(key, exp.Column) and not key.table and projection.alias_or_name.lower() == key.name.lower()
        if named or projection.unalias() == key:
            return i
    return None


def _count(clause: exp.Expr | None, default: int | None) -> int | None:
    if clause is None:
        return default
    literal = clause.expression
    return int(literal.this) if isinstance(literal, exp.Literal) and str(literal.this).isdigit() else None
