"""In which ways a predicted query differs from the gold one, clause by clause, in words.

SELECTs are compared in the order in which they nest: the outermost with the outermost. Of two conditions, those that
share most are taken for one that was changed; what has no counterpart is missing or extra. The queries may still mean
the same: that is for the databases to decide.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from sqlglot import exp
from typing_extensions import TypedDict  # pydantic cannot read that of typing before Python 3.12

from tasks.evaluation.sql.normalise import operands

DifferenceKind = Literal[
    "wrong nesting",
    "wrong set operation",
    "wrong table",
    "missing table",
    "extra table",
    "wrong join",
    "wrong aggregate",
    "wrong column",
    "missing condition",
    "extra condition",
    "wrong operator",
    "wrong literal",
    "case of a literal",
    "wrong AND/OR",
    "wrong grouping",
    "wrong order",
    "wrong limit",
    "wrong DISTINCT",
    "order of columns",
    "otherwise",
]
"""The most telling first."""
MOST_CHARACTERS = 120
T = TypeVar("T")


class Difference(TypedDict):
    """One difference. `gold` and `prediction`: what stands there, empty where nothing does."""

    kind: DifferenceKind
    gold: str
    prediction: str


def differences(gold: exp.Query, prediction: exp.Query) -> list[Difference]:
    """The differences of two queries in normal form, the most telling first; none when they are equal."""
    if gold == prediction:
        return []
    if len({table.name for query in (gold, prediction) for table in query.find_all(exp.Table)}) == 1:
        gold, prediction = _short_names(gold), _short_names(prediction)
    found = list(_differences(gold, prediction)) or [_difference("otherwise", gold, prediction)]
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
        yield _difference(
            "wrong set operation", _listed(map(_operation, operations)), _listed(map(_operation, other_operations))
        )
    elif len(selects) != len(others):
        yield _difference("wrong nesting", f"{len(selects)} SELECT", f"{len(others)} SELECT")
    for select, other in zip(selects, others, strict=False):
        for compare in (_tables, _columns, _conditions, _clauses):
            yield from compare(select, other)
    for node, other_node in zip(operations, other_operations, strict=False):
        yield from _clauses(node, other_node)


def _operation(node: exp.SetOperation) -> str:
    return f"{node.key.upper()}{'' if node.args.get('distinct') else ' ALL'}"


def _tables(gold: exp.Select, prediction: exp.Select) -> Iterator[Difference]:
    tables, others = (_unmatched(_sources(a), _sources(b)) for a, b in ((gold, prediction), (prediction, gold)))
    for left, right in zip(tables, others, strict=False):
        yield _difference("wrong table", left, right)
    count = min(len(tables), len(others))
    for table in tables[count:]:
        yield _difference("missing table", table, "")
    for table in others[count:]:
        yield _difference("extra table", "", table)
    kinds, other_kinds = (
        [f"{join.side} JOIN".strip() for join in query.args.get("joins") or ()] for query in (gold, prediction)
    )
    if len(kinds) == len(other_kinds) and Counter(kinds) != Counter(other_kinds):
        yield _difference("wrong join", _listed(kinds), _listed(other_kinds))


def _sources(select: exp.Select) -> list[str]:
    first = [select.args["from_"].this] if select.args.get("from_") else []
    tables = [*first, *(join.this for join in select.args.get("joins") or ())]
    return [table.name.split("#")[0] if isinstance(table, exp.Table) else "(SELECT ...)" for table in tables]


def _columns(gold: exp.Select, prediction: exp.Select) -> Iterator[Difference]:
    """What stands between SELECT and FROM."""
    texts, others = ([_text(part) for part in query.selects] for query in (gold, prediction))
    if texts == others:
        return
    if Counter(texts) == Counter(others):
        yield _difference("order of columns", _listed(texts), _listed(others))
        return
    missing, extra = _unmatched(texts, others), _unmatched(others, texts)
    parts, other_parts = (
        [p for p in query.selects if _text(p) in left] for query, left in ((gold, missing), (prediction, extra))
    )
    if sorted(map(_all_rows, parts)) == sorted(map(_all_rows, other_parts)):
        kind: DifferenceKind = "wrong DISTINCT"
    else:
        kind = "wrong column" if _aggregates(parts) == _aggregates(other_parts) else "wrong aggregate"
    yield _difference(kind, _listed(missing), _listed(extra))


def _aggregates(parts: Iterable[exp.Expr]) -> Counter[str]:
    return Counter(node.key for part in parts for node in part.find_all(exp.AggFunc))


def _all_rows(part: exp.Expr) -> str:
    return _text(part).replace("DISTINCT ", "")


def _clauses(gold: exp.Query, prediction: exp.Query) -> Iterator[Difference]:
    """GROUP BY, ORDER BY, LIMIT and DISTINCT."""
    clauses: list[tuple[DifferenceKind, Callable[[exp.Query], list[str]]]] = [
        ("wrong grouping", lambda query: sorted(_members(query, "group"))),
        ("wrong order", lambda query: _members(query, "order")),
        ("wrong limit", lambda query: [_text(query.args[name]) for name in ("limit", "offset") if query.args.get(name)]),
        ("wrong DISTINCT", lambda query: ["DISTINCT"] if isinstance(query, exp.Select) and query.args.get("distinct") else []),
    ]  # fmt: skip
    for kind, read in clauses:
        if read(gold) != read(prediction):
            yield _difference(kind, _listed(read(gold)), _listed(read(prediction)))


def _members(query: exp.Query, clause: str) -> list[str]:
    found = query.args.get(clause)
    return [_text(part).removesuffix(" NULLS LAST") for part in found.expressions] if found else []


@dataclass(frozen=True)
class _Condition:
    """`subject operator value`. The value is None when the condition has another shape: then the subject is all of it."""

    text: str
    subject: str
    operator: str
    value: str | None


def _conditions(gold: exp.Select, prediction: exp.Select) -> Iterator[Difference]:
    """WHERE, HAVING, and how tables are joined."""
    yield from _compare(_joined(gold), _joined(prediction), joins=True)
    filters, others = _filters(gold), _filters(prediction)
    if Counter(filters) != Counter(others):
        yield from _compare(filters, others, joins=False)
    elif Counter(_filter_texts(gold)) == Counter(_filter_texts(prediction)):
        connected, otherwise = (_listed(map(_text, _filter_trees(query))) for query in (gold, prediction))
        if connected != otherwise:
            yield _difference("wrong AND/OR", connected, otherwise)


def _filter_trees(select: exp.Select) -> list[exp.Expr]:
    return [clause.this for name in ("where", "having") if (clause := select.args.get(name))]


def _filter_texts(select: exp.Select) -> list[str]:
    return [_text(leaf) for tree in _filter_trees(select) for leaf in _leaves(tree)]


def _join_trees(select: exp.Select) -> list[exp.Expr]:
    return [join.args["on"] for join in select.args.get("joins") or () if join.args.get("on")]


def _joined(select: exp.Select) -> list[_Condition]:
    """Columns that must be equal, be it said beside JOIN or in WHERE, and what is USING."""
    trees = [
        *_join_trees(select),
        *(leaf for tree in _filter_trees(select) for leaf in _leaves(tree) if _is_join(leaf)),
    ]
    using = [_described(column) for join in select.args.get("joins") or () for column in join.args.get("using") or ()]
    return [*using, *(_described(leaf) for tree in trees for leaf in _leaves(tree))]


def _filters(select: exp.Select) -> list[_Condition]:
    return [_described(leaf) for tree in _filter_trees(select) for leaf in _leaves(tree) if not _is_join(leaf)]


def _is_join(node: exp.Expr) -> bool:
    if not isinstance(node, exp.EQ):
        return False
    left, right = node.left, node.right
    return isinstance(left, exp.Column) and isinstance(right, exp.Column) and left.table != right.table


def _leaves(node: exp.Expr) -> Iterator[exp.Expr]:
    if not isinstance(node, exp.And | exp.Or):
        yield node
        return
    for operand in operands(node):
        yield from _leaves(operand)


_SIGNS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("=", "="), exp.NEQ: ("<>", "<>"), exp.LT: ("<", ">"), exp.LTE: ("<=", ">="), exp.Is: ("IS", "IS"),
    exp.Like: ("LIKE", "LIKE"), exp.ILike: ("LIKE", "LIKE"), exp.Glob: ("GLOB", "GLOB"),
}  # fmt: skip
"""How a comparison reads from its left side, and from its right one."""


def _described(node: exp.Expr) -> _Condition:
    negation, inner = ("NOT ", node.this) if isinstance(node, exp.Not) else ("", node)
    if isinstance(inner, exp.In):
        query = inner.args.get("query")
        value = "(SELECT ...)" if query else _listed(map(_text, inner.expressions))
        return _condition(_text(inner.this), f"{negation}IN", f"({value})" if not query else value)
    if type(inner) in _SIGNS:
        forth, back = _SIGNS[type(inner)]
        left, right = inner.this, inner.expression
        if _is_value(left) and not _is_value(right):
            return _condition(_text(right), negation + back, _text(left))
        return _condition(_text(left), negation + forth, _text(right))
    return _Condition(_text(node), _text(node), "", None)


def _condition(subject: str, operator: str, value: str) -> _Condition:
    return _Condition(f"{subject} {operator} {value}", subject, operator, value)


def _is_value(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal | exp.Neg | exp.Null | exp.Subquery)


_CHANGES: list[tuple[DifferenceKind, Callable[[_Condition, _Condition], bool]]] = [
    ("case of a literal", lambda a, b: (a.subject, a.operator, _blind(a)) == (b.subject, b.operator, _blind(b))),
    ("wrong literal", lambda a, b: (a.subject, a.operator) == (b.subject, b.operator)),
    ("wrong operator", lambda a, b: (a.subject, _blind(a)) == (b.subject, _blind(b))),
    ("wrong column", lambda a, b: (a.operator, _blind(a)) == (b.operator, _blind(b))),
    ("wrong operator", lambda a, b: a.subject == b.subject),
]
"""Conditions that were changed, those that share most first."""


def _blind(condition: _Condition) -> str | None:
    return condition.value and condition.value.casefold()


def _compare(gold: list[_Condition], prediction: list[_Condition], *, joins: bool) -> Iterator[Difference]:
    missing, extra = _unmatched(gold, prediction), _unmatched(prediction, gold)
    for kind, same in _CHANGES:
        for left in list(missing):
            right = next(
                (other for other in extra if None not in (left.value, other.value) and same(left, other)), None
            )
            if right:
                yield _difference("wrong join" if joins else kind, left.text, right.text)
                missing.remove(left)
                extra.remove(right)
    for condition in missing:
        yield _difference("wrong join" if joins else "missing condition", condition.text, "")
    for condition in extra:
        yield _difference("wrong join" if joins else "extra condition", "", condition.text)


def _unmatched(those: Iterable[T], others: Iterable[T]) -> list[T]:
    return list((Counter(those) - Counter(others)).elements())


def _text(node: exp.Expr) -> str:
    """As SQL, without the text of its subqueries: they are compared by themselves."""
    if node.find(exp.Select, exp.SetOperation):
        node = node.copy()
        for query in list(node.find_all(exp.Select, exp.SetOperation)):
            if not query.find_ancestor(exp.Select, exp.SetOperation):
                query.replace(exp.Var(this="SELECT ..."))
    return node.sql(dialect="sqlite", copy=False)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts)


def _difference(kind: DifferenceKind, gold: str | exp.Expr, prediction: str | exp.Expr) -> Difference:
    gold, prediction = (part if isinstance(part, str) else part.sql() for part in (gold, prediction))
    return Difference(kind=kind, gold=_short(gold), prediction=_short(prediction))


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
