"""Checks rows in worker processes, because parsing SQL alone is half of the work of preparing a data set."""

import json
import os
import pickle
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.dataset.preprocessing import Preprocessing
from finetune_flows.tasks.dataset.readers import SourceRow
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.problems.example import BadRow, Example, Reason, read_texts, writable

NOTHING = Preprocessing()
BATCH = 512
SERIAL_BATCHES = 8
"""A source with fewer batches is checked in this process: workers take a second to start."""
KEPT_CHARACTERS = 2000
"""The quarantine file shows at most this many characters of a bad row."""


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """The outcome for one row: an example, or the reasons why there is none and the row's own text."""

    file: str
    line: int
    example: Example | None
    slice: str | None = None
    changed: tuple[str, ...] = ()
    """Names of the steps that changed it."""
    reasons: tuple[Reason, ...] = ()
    raw: str = ""
    key: str | None = None
    """Value of dataset.split_column."""


def check_rows(
    rows: Iterable[SourceRow],
    problem: Problem,
    slice_column: str | None,
    special_tokens: Collection[str],
    before: Preprocessing = NOTHING,
    split_column: str | None = None,
) -> Iterator[list[CheckedRow]]:
    """The checked rows in batches, in the order of the rows. Memory holds a few batches, however long the source is."""
    check = partial(
        check_batch,
        problem=problem,
        slice_column=slice_column,
        special_tokens=tuple(special_tokens),
        before=before,
        split_column=split_column,
    )
    rows = iter(rows)
    batches = iter(lambda: list(islice(rows, BATCH)), [])
    first = list(islice(batches, SERIAL_BATCHES))
    if len(first) < SERIAL_BATCHES:
        yield from map(check, first)
    else:
        yield from _in_workers(check, chain(first, batches))


def check_batch(
    rows: list[SourceRow],
    problem: Problem,
    slice_column: str | None,
    special_tokens: tuple[str, ...],
    before: Preprocessing = NOTHING,
    split_column: str | None = None,
) -> list[CheckedRow]:
    """Checks rows in this process."""
    return [_check(row, problem, (slice_column, split_column), special_tokens, before) for row in rows]


def _check(
    row: SourceRow,
    problem: Problem,
    columns: tuple[str | None, str | None],
    special_tokens: tuple[str, ...],
    before: Preprocessing,
) -> CheckedRow:
    if row.values is None:
        return CheckedRow(row.file, row.line, None, reasons=(row.problem,) if row.problem else (), raw=bounded(row.raw))
    (name, reasons), (key, more) = (_value(row, column) for column in columns)
    reasons += more
    changed: tuple[str, ...] = ()
    try:
        values, changed = before.apply(row.values)
        example = problem.read_row(values, special_tokens)
    except BadRow as bad:
        reasons += bad.reasons
    if reasons:
        reasons = tuple(Reason(kind, writable(detail)) for kind, detail in reasons)  # it may name a column of the row
        return CheckedRow(row.file, row.line, None, reasons=reasons, raw=bounded(json.dumps(row.values, default=repr)))
    return CheckedRow(row.file, row.line, example, name, changed, key=key)


def _value(row: SourceRow, column: str | None) -> tuple[str | None, tuple[Reason, ...]]:
    """The value of a column as text, and why it is unusable if it is; None where the row has no value."""
    value = row.values.get(column) if row.values and column else None
    if column is None or value is None or value == "":
        return None, ()
    texts, reasons = read_texts({column: str(value)}, {"value": column})
    return texts.get("value"), tuple(reasons)


def bounded(text: str) -> str:
    """The text, or the opening of a long one."""
    return text if len(text) <= KEPT_CHARACTERS else f"{text[:KEPT_CHARACTERS]}... ({len(text):,} characters)"


def _in_workers(
    check: Callable[[list[SourceRow]], list[CheckedRow]], batches: Iterable[list[SourceRow]]
) -> Iterator[list[CheckedRow]]:
    """Like map(check, batches), in processes. Executor.map would read the whole source before giving its first result."""
    workers = min(os.cpu_count() or 1, 8)
    waiting: deque[Future[Path]] = deque()
    # Spawned, not forked: the tokenizer and Arrow have threads running here.
    with (
        TemporaryDirectory(prefix="finetune-rows-") as folder,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        try:
            for number, batch in enumerate(batches):
                waiting.append(pool.submit(_check_into, Path(folder, str(number)), check, batch))
                if len(waiting) > 2 * workers:
                    yield _taken(waiting.popleft().result())
            while waiting:
                yield _taken(waiting.popleft().result())
        except BrokenProcessPool as error:
            raise EnvironmentProblem(
                "a process that checks rows was killed. Most likely the machine ran out of memory. If you call this from a script "
                'of your own, guard the call with `if __name__ == "__main__":`, because each process imports the script again'
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _check_into(file: Path, check: Callable[[list[SourceRow]], list[CheckedRow]], rows: list[SourceRow]) -> Path:
    """Checks rows in a worker, and writes the result to a file whose path is the answer."""
    # A worker killed in the middle of a long message leaves its pool waiting forever for the rest of it. A path is short
    # enough for a pipe to take it whole or not at all.
    file.write_bytes(pickle.dumps(check(rows), pickle.HIGHEST_PROTOCOL))
    return file


def _taken(file: Path) -> list[CheckedRow]:
    checked: list[CheckedRow] = pickle.loads(file.read_bytes())
    file.unlink()
    return checked
