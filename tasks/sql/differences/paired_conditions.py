"""The conditions of two SELECTs, paired: those that share most are taken for one that was changed."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from finetune_flows.tasks.sql.differences.kinds import Difference, DifferenceKind, change, listed, text_of, unmatched
from finetune_flows.tasks.sql.normalise import operands


@dataclass(frozen=True)
class _Condition:
    """`subject operator value`. The value is None when the condition has another shape: then the subject is all of it."""

    text: str
    subject: str
    operator: str
    value: str | None


def conditions(gold: exp.Select, prediction: exp.Select) -> Iterator[Difference]:
    """WHERE, HAVING, and how tables are joined."""
    yield from _compare(_joined(gold), _joined(prediction), joins=True)
    filters, others = _filters(gold), _filters(prediction)
    if Counter(filters) != Counter(others):
        yield from _compare(filters, others, joins=False)
    elif Counter(_filter_texts(gold)) == Counter(_filter_texts(prediction)):
        connected, otherwise = (listed(map(text_of, _filter_trees(query))) for query in (gold, prediction))
        if connected != otherwise:
            yield change("wrong AND/OR", connected, otherwise)


def _filter_trees(select: exp.Select) -> list[exp.Expr]:
    return [clause.this for name in ("where", "having") if (clause := select.args.get(name))]


def _filter_texts(select: exp.Select) -> list[str]:
    return [text_of(leaf) for tree in _filter_trees(select) for leaf in _leaves(tree)]


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
        value = "(SELECT ...)" if query else listed(map(text_of, inner.expressions))
        return _condition(text_of(inner.this), f"{negation}IN", f"({value})" if not query else value)
    if type(inner) in _SIGNS:
        forth, back = _SIGNS[type(inner)]
        left, right = inner.this, inner.expression
        if _is_value(left) and not _is_value(right):
            return _condition(text_of(right), negation + back, text_of(left))
        return _condition(text_of(left), negation + forth, text_of(right))
    return _Condition(text_of(node), text_of(node), "", None)


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
    missing, extra = unmatched(gold, prediction), unmatched(prediction, gold)
    for kind, same in _CHANGES:
        for left in list(missing):
            right = next(
                (other for other in extra if None not in (left.value, other.value) and same(left, other)), None
            )
            if right:
                yield change("wrong join" if joins else kind, left.text, right.text)
                missing.remove(left)
                extra.remove(right)
    for condition in missing:
        yield change("wrong join" if joins else "missing condition", condition.text, "")
    for condition in extra:
        yield change("wrong join" if joins else "extra condition", "", condition.text)
