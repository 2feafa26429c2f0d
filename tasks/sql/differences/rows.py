"""What two queries returned on the database that told them apart, cut down to what a person reads."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict  # pydantic cannot read that of typing before Python 3.12

from finetune_flows.tasks.sql.compare import Row

MOST_ROWS = 8
MOST_CELL_CHARACTERS = 60
MOST_ROW_CHARACTERS = 240


class Telling(TypedDict):
    """`database`: its number. The rows that only one of both returned come first, each as one line of SQL literals."""

    database: int
    gold: list[str]
    gold_rows: int
    prediction: list[str]
    prediction_rows: int
    error: str | None


def telling(database: int, gold: Sequence[Row], prediction: Sequence[Row], error: str | None = None) -> Telling:
    """`error`: why the prediction, which runs on other databases, returned nothing on this one."""
    return Telling(
        database=database,
        gold=_shown(gold, prediction),
        gold_rows=len(gold),
        prediction=_shown(prediction, gold),
        prediction_rows=len(prediction),
        error=error,
    )


def _shown(rows: Sequence[Row], others: Sequence[Row]) -> list[str]:
    left = Counter(rows) - Counter(others)
    own: list[Row] = []
    common: list[Row] = []
    for row in rows:
        (own if left[row] > 0 else common).append(row)
        left[row] -= 1
    return [_short(", ".join(map(literal, row)), MOST_ROW_CHARACTERS) for row in [*own, *common][:MOST_ROWS]]


def literal(value: Any) -> str:
    """A value as SQL writes it, not longer than a cell."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{_short(value[:MOST_CELL_CHARACTERS].hex(), MOST_CELL_CHARACTERS)}'"
    if isinstance(value, str):
        return "'" + _short(value.replace("'", "''"), MOST_CELL_CHARACTERS) + "'"
    return _short(str(value), MOST_CELL_CHARACTERS)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
