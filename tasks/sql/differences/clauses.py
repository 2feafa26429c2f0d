"""In which ways a predicted query differs from the gold one, clause by clause, in words.

SELECTs are compared in the order in which they nest: the outermost with the outermost. Of two conditions, those that
share most are taken for one that was changed; what has no counterpart is missing or extra. The queries may still mean
the same: that is for the databases to decide.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from sqlglot import exp

from finetune_flows.tasks.sql.differences.kinds import Difference, DifferenceKind, change, listed, text_of, unmatched
from finetune_flows.tasks.sql.differences.paired_conditions import conditions


def differences(gold: exp.Query, prediction: exp.Query) -> list[Difference]:
    """The differences of two queries in normal form, the most telling first; none when they are equal."""
    if gold == prediction:
        return []
    if len({table.name for query in (gold, prediction) for table in query.find_all(exp.Table)}) == 1:
        gold, prediction = _short_names(gold), _short_names(prediction)
    try:
        found = list(_differences(gold, prediction))
    except Exception:  # half of these queries were made up by a model: sqlglot has seen no such trees
        found = []
    found = found or [change("otherwise", "", "")]
    kinds = get_args(DifferenceKind)
    return sorted(found, key=lambda difference: kinds.index(difference["kind"]))


def _short_names(query: exp.Query) -> exp.Query:
    """Where there is but one table, nobody needs to read its name before each column."""
    query = query.copy()
    for column in query.find_all(exp.Column):
        column.set("table", None)
    return query


def _differences(gold: exp.Query, prediction: exp.Query) -> Iterator[Difference]:
    selects, others = ([*query.find_all(exp.Select)] for query in (gold, prediction))
    operations, other_operations = ([*query.find_all(exp.SetOperation)] for query in (gold, prediction))
    if [_operation(node) for node in operations] != [_operation(node) for node in other_operations]:
        yield change(
            "wrong set operation", listed(map(_operation, operations)), listed(map(_operation, other_operations))
        )
    elif len(selects) != len(others):
        yield change("wrong nesting", f"{len(selects)} SELECT", f"{len(others)} SELECT")
    for select, other in zip(selects, others, strict=False):
        for compare in (_tables, _columns, conditions, _clauses):
            yield from compare(select, other)
    for node, other_node in zip(operations, other_operations, strict=False):
        yield from _clauses(node, other_node)


def _operation(node: exp.SetOperation) -> str:
    return f"{node.key.upper()}{'' if node.args.get('distinct') else ' ALL'}"


def _tables(gold: exp.Select, prediction: exp.Select) -> Iterator[Difference]:
    tables, others = (unmatched(_sources(a), _sources(b)) for a, b in ((gold, prediction), (prediction, gold)))
    for left, right in zip(tables, others, strict=False):
        yield change("wrong table", left, right)
    count = min(len(tables), len(others))
    for table in tables[count:]:
        yield change("missing table", table, "")
    for table in others[count:]:
        yield change("extra table", "", table)
    kinds, other_kinds = (
        [f"{join.side} JOIN".strip() for join in query.args.get("joins") or ()] for query in (gold, prediction)
    )
    if len(kinds) == len(other_kinds) and Counter(kinds) != Counter(other_kinds):
        yield change("wrong join", listed(kinds), listed(other_kinds))


def _sources(select: exp.Select) -> list[str]:
    first = [select.args["from_"].this] if select.args.get("from_") else []
    tables = [*first, *(join.this for join in select.args.get("joins") or ())]
    return [table.name.split("#")[0] if isinstance(table, exp.Table) else "(SELECT ...)" for table in tables]


def _columns(gold: exp.Select, prediction: exp.Select) -> Iterator[Difference]:
    """What stands between SELECT and FROM."""
    texts, others = ([text_of(part) for part in query.selects] for query in (gold, prediction))
    if texts == others:
        return
    if Counter(texts) == Counter(others):
        yield change("order of columns", listed(texts), listed(others))
        return
    missing, extra = unmatched(texts, others), unmatched(others, texts)
    parts, other_parts = (
        [p for p in query.selects if text_of(p) in left] for query, left in ((gold, missing), (prediction, extra))
    )
    if sorted(map(_all_rows, parts)) == sorted(map(_all_rows, other_parts)):
        kind: DifferenceKind = "wrong DISTINCT"
    else:
        kind = "wrong column" if _aggregates(parts) == _aggregates(other_parts) else "wrong aggregate"
    yield change(kind, listed(missing), listed(extra))


def _aggregates(parts: Iterable[exp.Expr]) -> Counter[str]:
    return Counter(node.key for part in parts for node in part.find_all(exp.AggFunc))


def _all_rows(part: exp.Expr) -> str:
    return text_of(part).replace("DISTINCT ", "")


def _clauses(gold: exp.Query, prediction: exp.Query) -> Iterator[Difference]:
    """GROUP BY, ORDER BY, LIMIT and DISTINCT."""
    clauses: list[tuple[DifferenceKind, Callable[[exp.Query], list[str]]]] = [
        ("wrong grouping", lambda query: sorted(_members(query, "group"))),
        ("wrong order", lambda query: _members(query, "order")),
        ("wrong limit", lambda query: [text_of(query.args[name]) for name in ("limit", "offset") if query.args.get(name)]),
        ("wrong DISTINCT", lambda query: ["DISTINCT"] if isinstance(query, exp.Select) and query.args.get("distinct") else []),
    ]  # fmt: skip
    for kind, read in clauses:
        if read(gold) != read(prediction):
            yield change(kind, listed(read(gold)), listed(read(prediction)))


def _members(query: exp.Query, clause: str) -> list[str]:
    found = query.args.get(clause)
    return [text_of(part).removesuffix(" NULLS LAST") for part in found.expressions] if found else []
