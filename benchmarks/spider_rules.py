"""Spider's test-suite comparison of two queries, written anew from its description: a second opinion on ours.

After `exec_eval.py` of taoyds/test-suite-sql-eval (Zhong, Yu and Klein, EMNLP 2020), and with none of our comparison in it:
on every database both results must be equal, as multisets, or as lists when "order by" stands anywhere in the gold's text;
columns may be permuted, one permutation for all rows; DISTINCT is taken out of both unless `keep_distinct`; values compare
by Python's ==; two empty results are equal. Left out: `--plug_value`, and the replacing of YEAR(CURDATE()).
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

Row = tuple[Any, ...]
_TOKENS = re.compile(r"'(?:[^']|'')*'|`[^`]*`|\"[^\"]*\"|\w+|\s+|.", re.DOTALL)
_LIMIT = re.compile(r"LIMIT\s+\d+(\s+OFFSET\s+\d+)?\s*\Z", re.IGNORECASE)
MOST_PERMUTATIONS = 5_000


class GoldFailed(Exception):
    """The gold query does not run."""


@dataclass(frozen=True)
class SpiderRules:
    """The defaults are Spider's. Each other value is one of our rules instead."""

    permute_columns: bool = True
    keep_distinct: bool = False
    ordered_by: str = "text"  # "text": "order by" anywhere; "outermost": of the outermost query
    ties: bool = False  # True: a gold whose rows change places with the way of storage orders nothing
    decimals: int | None = None
    skip_accidents: bool = False  # True: a database tells nothing if storage decides which rows the gold has
    storage_orders: int = 1  # how often the comparison is made, on the same rows stored otherwise


SPIDER = SpiderRules()
OUR_RULES: dict[str, dict[str, Any]] = {
    "columns in the gold's order": {"permute_columns": False},
    "DISTINCT counts": {"keep_distinct": True},
    "order counts where the outermost query orders": {"ordered_by": "outermost"},
    "rows that tie may come in any order": {"ties": True},
    "floats are rounded": {"decimals": 6},
    "a database tells nothing if storage decides which rows the gold has": {"skip_accidents": True},
    "the comparison is made on two orders of storage": {"storage_orders": 2},
}
"""What ours does otherwise, by name."""


def accepts(
    gold: str, prediction: str, databases: Sequence[Sequence[sqlite3.Connection]], rules: SpiderRules = SPIDER
) -> bool:
    """Whether the prediction is right on all databases. Each is given in several orders of storage.

    Both queries are in SQLite's spelling. Raises GoldFailed.
    """
    if not rules.keep_distinct:
        gold, prediction = _without_distinct(gold), _without_distinct(prediction)
    return all(_equal_on(stored, gold, prediction, rules) for stored in databases)


def reason(
    gold: str, prediction: str, databases: Sequence[Sequence[sqlite3.Connection]], ours: bool, rules: SpiderRules
) -> str | None:
    """The fewest rules of ours that, put into `rules`, give our verdict; "" when it is theirs already, None if none do."""
    names = [name for name, change in OUR_RULES.items() if replace(rules, **change) != rules]
    for count in range(len(names) + 1):
        for chosen in combinations(names, count):
            changed = rules
            for name in chosen:
                changed = replace(changed, **OUR_RULES[name])
            if accepts(gold, prediction, databases, changed) == ours:
                return " + ".join(chosen)
    return None


def _without_distinct(query: str) -> str:
    return "".join(token for token in _TOKENS.findall(query) if token.lower() != "distinct")


def _ordered(query: str, by: str) -> bool:
    depth, found = 0, False
    words = [token.lower() for token in _TOKENS.findall(query) if not token.isspace()]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        depth += {"(": 1, ")": -1}.get(word, 0)
        found |= (word, following) == ("order", "by") and (by == "text" or depth == 0)
    return found


def _equal_on(stored: Sequence[sqlite3.Connection], gold: str, prediction: str, rules: SpiderRules) -> bool:
    try:
        golds = [_rows(connection, gold, rules) for connection in stored]
    except sqlite3.Error as problem:
        raise GoldFailed(str(problem)) from problem
    if rules.skip_accidents and _is_accident(stored[0], gold, golds, rules):
        return True
    ordered = _ordered(gold, rules.ordered_by) and not (rules.ties and any(rows != golds[0] for rows in golds))
    try:
        results = [_rows(connection, prediction, rules) for connection in stored[: rules.storage_orders]]
    except sqlite3.Error:
        return False
    return all(_equal(rows, result, ordered, rules) for rows, result in zip(golds, results, strict=False))


def _is_accident(connection: sqlite3.Connection, gold: str, golds: list[list[Row]], rules: SpiderRules) -> bool:
    """Whether storage decides which rows the gold has, or its LIMIT cuts through rows that tie."""
    limit = _LIMIT.search(gold)
    if limit and _ordered(gold, "outermost") and golds[0]:
        width = len(golds[0][0])
        for direction in ("ASC", "DESC"):
            ties = "".join(f", {place} {direction}" for place in range(1, width + 1))
            golds = [*golds, _rows(connection, f"{gold[: limit.start()]}{ties} {limit.group()}", rules)]
    return any(Counter(rows) != Counter(golds[0]) for rows in golds)


def _rows(connection: sqlite3.Connection, query: str, rules: SpiderRules) -> list[Row]:
    rows = connection.execute(query).fetchall()
    if rules.decimals is None:
        return rows
    return [tuple(round(value, rules.decimals) if isinstance(value, float) else value for value in row) for row in rows]


def _equal(gold: list[Row], rows: list[Row], ordered: bool, rules: SpiderRules) -> bool:
    if not gold and not rows:
        return True
    if len(gold) != len(rows) or len(gold[0]) != len(rows[0]):
        return False
    shape: Callable[[list[Row]], Any] = list if ordered else Counter
    wanted = shape(gold)
    return any(shape([tuple(row[i] for i in order) for row in rows]) == wanted for order in _orders(gold, rows, rules))


def _orders(gold: list[Row], rows: list[Row], rules: SpiderRules) -> Iterator[tuple[int, ...]]:
    """The permutations of columns that can make the results equal: each column must hold the gold column's values."""
    width = len(gold[0])
    if not rules.permute_columns:
        yield tuple(range(width))
        return
    values = [Counter(row[i] for row in rows) for i in range(width)]
    fits = [[j for j in range(width) if values[j] == Counter(row[i] for row in gold)] for i in range(width)]
    tried = 0
    for order in product(*fits):
        if len(set(order)) == width and tried < MOST_PERMUTATIONS:
            tried += 1
            yield order
