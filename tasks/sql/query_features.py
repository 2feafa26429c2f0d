"""What kind of question a row asks, by its gold query: the slices that scores are also reported for."""

import re
from collections.abc import Iterable, Iterator

from sqlglot import exp

Features = dict[str, str]

_CREATE = re.compile(r"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?([`\"\[]?)([^\s`\"\]()]+)\1\]?\s*\(", re.IGNORECASE)
_LONGEST = {10: "up to 10 words", 15: "11 to 15 words"}


def query_features(gold: exp.Expr | None) -> Features:
    """Tables, joins, aggregates and nesting of a query; nothing is known of what is none."""
    if not isinstance(gold, exp.Query):
        return {}
    nodes = list(gold.walk())  # once: every row that is judged comes by
    named = {node.alias.lower() for node in nodes if isinstance(node, exp.CTE)}
    tables = {node.name.lower() for node in nodes if isinstance(node, exp.Table)} - named
    kinds = [type(node) for node in nodes]
    aggregates = any(issubclass(kind, exp.AggFunc) for kind in kinds)
    return {
        "tables": _up_to(3, len(tables)),
        "joins": _up_to(2, kinds.count(exp.Join)),
        "aggregates": "grouped" if exp.Group in kinds else "aggregate" if aggregates else "none",
        "nesting": _nesting(kinds),
    }


def _nesting(kinds: list[type[exp.Expr]]) -> str:
    if any(issubclass(kind, exp.SetOperation) for kind in kinds):
        return "set operation"
    return "subquery" if kinds.count(exp.Select) > 1 else "flat"


def _up_to(most: int, count: int) -> str:
    return str(count) if count < most else f"{most} or more"


def question_length(question: str) -> str:
    """How many words a question has, in three steps."""
    words = len(question.split())
    return next((name for most, name in _LONGEST.items() if words <= most), "over 15 words")


class SeenTables:
    """The tables that some contexts define: their names and all columns. What else a context says does not matter."""

    def __init__(self, contexts: Iterable[str]) -> None:
        self._tables = {table for context in contexts for table in _tables(context)}

    def share(self, context: str) -> str:
        """Whether all, some or none of the tables of another context are among them."""
        tables = list(_tables(context))
        seen = sum(table in self._tables for table in tables)
        return "no table seen" if not seen else "all tables seen" if seen == len(tables) else "some tables seen"


def _tables(context: str) -> Iterator[str]:
    """Each definition of a table, in lower case, with one space where there is white space."""
    for match in _CREATE.finditer(context):
        body = context[match.end() : _end(context, match.end())]
        yield " ".join(f"{match[2]}({body})".lower().split())


def _end(text: str, start: int) -> int:
    depth = 1
    for found in re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|[()]").finditer(text, start):
        depth += {"(": 1, ")": -1}.get(found.group(), 0)
        if not depth:
            return found.start()
    return len(text)
