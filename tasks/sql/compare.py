"""When two results are the same answer.

Rows compare as a multiset; where the gold query orders them, in that order, but rows that tie may come in any order.
Columns keep their order, duplicates count, column names do not. `Rules` says what may be done differently.

1 equals 1.0, and '1' equals neither. Floats are rounded to 12 significant digits, then to 6 decimals: so sums that were
added up in another order agree. Where one query's decimals were rounded before (MySQL keeps four more places than the
operands have), the sixth one may differ by one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]
DIGITS, DECIMALS = 12, 6
LAST_PLACE = 1.5 * 10**-DECIMALS


@dataclass(frozen=True)
class Rules:
    """What counts as the same answer, by the names of the field. The defaults are ours, the strictest.

    permute_columns: columns may come in any order, one order for all rows (Spider's test-suite evaluation does so).
    keep_distinct: False takes DISTINCT out of both queries before they run (Spider's default).
    as_sets: neither duplicates nor the order of rows count (BIRD's execution accuracy).
    """

    permute_columns: bool = False
    keep_distinct: bool = True
    as_sets: bool = False


OURS = Rules()


def plain_rows(rows: Sequence[Row]) -> list[Row]:
    """Rows whose values compare with ==: floats rounded."""
    return [tuple(map(_plain, row)) for row in rows]


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


def same_rows(gold: Sequence[Row], rows: Sequence[Row], blocks: Sequence[int] = (), rules: Rules = OURS) -> bool:
    """Whether two results agree: as multisets, or block by block when `blocks` says where each block of gold ends."""
    if rules.as_sets:
        gold, rows, blocks = list(dict.fromkeys(gold)), list(dict.fromkeys(rows)), ()
    if len(gold) != len(rows):
        return False
    ends = blocks or [len(gold)]
    if rules.permute_columns and gold and len(gold[0]) == len(rows[0]) > 1:
        return _permuted(gold, rows, ends)
    return _agree(gold, rows, ends)


def _agree(gold: Sequence[Row], rows: Sequence[Row], ends: Sequence[int]) -> bool:
    return all(_alike(gold[i:j], rows[i:j]) for i, j in zip([0, *ends], ends, strict=False))


def _alike(gold: Sequence[Row], rows: Sequence[Row]) -> bool:
    """Whether two multisets are equal, but for the last decimal of fractions."""
    if Counter(gold) == Counter(rows):
        return True
    exact, numbers = _apart(gold)
    other_exact, other_numbers = _apart(rows)
    if exact != other_exact:
        return False
    return all(abs(a - b) < LAST_PLACE for a, b in zip(numbers, other_numbers, strict=True))


def _apart(rows: Sequence[Row]) -> tuple[list[str], list[float]]:
    """Rows in an order that their fractions decide last: all that must be equal, and the fractions."""
    parted = sorted(
        (
            repr([float if isinstance(value, float) else value for value in row]),
            [v for v in row if isinstance(v, float)],
        )
        for row in rows
    )
    return [exact for exact, _ in parted], [number for _, numbers in parted for number in numbers]


def _permuted(gold: Sequence[Row], rows: Sequence[Row], ends: Sequence[int], chosen: tuple[int, ...] = ()) -> bool:
    """Whether some order of the columns makes the rows agree: column after column, and back when one does not fit."""
    width = len(chosen)
    if not _agree([row[:width] for row in gold], [tuple(row[i] for i in chosen) for row in rows], ends):
        return False
    if width == len(gold[0]):
        return True
    left = {
        tuple(row[i] for row in rows): i for i in range(len(gold[0])) if i not in chosen
    }  # of equal ones, one will do
    return any(_permuted(gold, rows, ends, (*chosen, i)) for i in left.values())


def says_nothing(rows: Sequence[Row]) -> bool:
    """Whether a result is empty or holds only NULL and 0, which any query that finds nothing would return."""
    return all(value is None or value == 0 for row in rows for value in row)


def _plain(value: Any) -> Any:
    return round(float(f"{value:.{DIGITS}g}"), DECIMALS) if isinstance(value, float) else value
