"""Rows are checked in worker processes: parsing SQL, for one, is half of the work of preparing a data set."""

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
from finetune_flows.tasks.problems.example import BadRow, Example, Reason, read_texts

NOTHING = Preprocessing()
BATCH = 512
SERIAL_BATCHES = 8
"""So many batches are checked without workers, which take a second to start."""
KEPT_CHARACTERS = 2000
"""So much of a bad row is shown in the quarantine file."""


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row and what came of it: an example, or the reasons why not and the row's own text."""

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
    """The checked rows in batches, in the order of the rows. Few rows are under way at once, however many there are."""
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
        return CheckedRow(row.file, row.line, None, reasons=reasons, raw=bounded(json.dumps(row.values, default=repr)))
    return CheckedRow(row.file, row.line, example, name, changed, key=key)


def _value(row: SourceRow, column: str | None) -> tuple[str | None, tuple[Reason, ...]]:
    """The value of a column as text; none where the row has none."""
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
                "a process that checks rows was killed; most likely this machine ran out of memory. In a script of your own, "
                'it may be that what calls this does not stand below `if __name__ == "__main__":`, so that each process began it again'
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _check_into(file: Path, check: Callable[[list[SourceRow]], list[CheckedRow]], rows: list[SourceRow]) -> Path:
    """In a worker. A worker killed amid a long message to its pool leaves the pool waiting for the rest for ever: the
    rows go through a file, and the message is short enough for a pipe to take it whole or not at all."""
    file.write_bytes(pickle.dumps(check(rows), pickle.HIGHEST_PROTOCOL))
    return file


def _taken(file: Path) -> list[CheckedRow]:
    checked: list[CheckedRow] = pickle.loads(file.read_bytes())
    file.unlink()
    return checked
