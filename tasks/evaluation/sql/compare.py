"""When two results are the same answer.

Rows compare as a multiset; where the gold query orders them, in that order, but rows that tie may come in any order.
Columns keep their order, duplicates count, column names do not. Floats are rounded to 6 decimals; 1 equals 1.0, and '1'
equals neither.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

Row = tuple[Any, ...]
DECIMALS = 6


def plain_rows(rows: Sequence[Row], *, caseless: bool = False) -> list[Row]:
    """Rows whose values compare with ==: floats rounded, texts without case where asked for."""
    return [tuple(_plain(value, caseless) for value in row) for row in rows]


def cuts(results: Sequence[Sequence[Row]]) -> list[int]:
    """The positions that no row crosses in any of several results that hold the same rows.

    The results are one query's on the same rows stored in different orders: between two cuts are rows that tie.
    """
    balance: Counter[tuple[int, Row]] = Counter()
    found = []
    for position, (first, *others) in enumerate(zip(*results, strict=True), start=1):
        for number, other in enumerate(others):
            for row, step in ((first, 1), (other, -1)):
                balance[number, row] += step
                if not balance[number, row]:
                    del balance[number, row]
        if not balance:
            found.append(position)
    return found


def same_rows(first: Sequence[Row], second: Sequence[Row], blocks: Sequence[int] = ()) -> bool:
    """Whether two results agree: as multisets, or block by block when `blocks` says where each block ends."""
    if len(first) != len(second):
        return False
    ends = blocks or [len(first)]
    return all(Counter(first[i:j]) == Counter(second[i:j]) for i, j in zip([0, *ends], ends, strict=False))


def says_nothing(rows: Sequence[Row]) -> bool:
    """Whether a result is empty or holds only NULL and 0, which any query that finds nothing would return."""
    return all(value is None or value == 0 for row in rows for value in row)


def _plain(value: Any, caseless: bool) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    return value.casefold() if caseless and isinstance(value, str) else value
