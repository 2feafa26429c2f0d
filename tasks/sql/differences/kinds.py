"""The kinds of differences between two queries, and the words for them."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeVar

from sqlglot import exp
from typing_extensions import TypedDict  # pydantic cannot read that of typing before Python 3.12

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


def unmatched(those: Iterable[T], others: Iterable[T]) -> list[T]:
    """What is in the first and not in the others, each as often as it is more."""
    return list((Counter(those) - Counter(others)).elements())


def text_of(node: exp.Expr) -> str:
    """As SQL, without the text of its subqueries: they are compared by themselves."""
    if node.find(exp.Select, exp.SetOperation):
        node = node.copy()
        for query in list(node.find_all(exp.Select, exp.SetOperation)):
            if not query.find_ancestor(exp.Select, exp.SetOperation):
                query.replace(exp.Var(this="SELECT ..."))
    return node.sql(dialect="sqlite", copy=False)


def listed(texts: Iterable[str]) -> str:
    """Separated by commas."""
    return ", ".join(texts)


def change(kind: DifferenceKind, gold: str, prediction: str) -> Difference:
    """A difference, its texts cut to what a person reads."""
    return Difference(kind=kind, gold=_short(gold), prediction=_short(prediction))


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
