"""Runs SQL that nobody has read. The model's output is hostile until it has been run here.

A query sees one SQLite database, in memory or a file opened for reading, and can do nothing but read it: an authorizer
allows SELECT and a list of functions, lengths and memory are limited, temporary data stays in memory, and a deadline in
CPU time stops it (so that a busy machine changes no verdict). What a single step of SQLite's machine can hide from the
deadline (a function over long texts that takes seconds) is killed from outside, see `worker.py`.

`PRAGMA query_only` is not enough: a query can switch it off, ATTACH a file and write to it.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.databases import Database, fill
from finetune_flows.tasks.sql.query import MOST_CHARACTERS

STEPS_BETWEEN_LOOKS = 500

_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_FUNCTION_NAMES = """
    -> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos cosh count
    cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor format
    glob group_concat hex if ifnull iif instr json json_array json_array_length json_extract json_group_array
    json_group_object json_object json_quote json_type json_valid julianday lag last_value lead length like likelihood
    likely ln log log10 log2 lower ltrim max min mod nth_value ntile nullif octet_length percent_rank pi pow power printf
    quote radians rank replace round row_number rtrim sign sin sinh soundex sqrt strftime string_agg substr substring sum
    tan tanh time timediff total trim trunc typeof unhex unicode unixepoch unlikely upper
"""
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_LENGTHS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 2 * MOST_CHARACTERS,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


class QueryFailed(Exception):
    """The query gave no result. The message says why: the database's own words, or the limit it met."""


class DatabaseMissing(Exception):
    """The database is not there, cannot be reached, or is none. The message names it."""


@dataclass(frozen=True)
class Limits:
    """What one query may use: CPU seconds, rows of the result, memory (of SQLite and of the rows), bytes of a value."""

    seconds: float = 0.5
    rows: int = 20_000
    bytes: int = 64 * 2**20
    value_bytes: int = 100_000


class Sandbox:
    """A database that answers queries and can do nothing else. Made by `sandbox` and `file_sandbox`."""

    def __init__(self, connection: sqlite3.Connection, limits: Limits) -> None:
        self._connection, self._limits = connection, limits

    def run(self, query: str) -> list[Row]:
        """The rows of one SELECT. Raises QueryFailed."""
        limits = self._limits
        end = time.thread_time() + limits.seconds
        self._connection.set_progress_handler(lambda: time.thread_time() > end, STEPS_BETWEEN_LOOKS)
        try:
            cursor = self._connection.execute(query)
            rows = _fetch(cursor, limits)
        except MemoryError:
            raise QueryFailed(f"needs more than {limits.bytes >> 20} MiB") from None
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as problem:
            late = time.thread_time() > end
            raise QueryFailed(f"stopped after {limits.seconds:g} s" if late else str(problem)[:300]) from None
        if cursor.description is None:
            raise QueryFailed("holds no query")
        return rows

    def rights_to_write(self) -> list[str]:
        """None: whoever owns the file, it is opened for reading."""
        return []


@contextmanager
def sandbox(database: Database, *, caseless: bool = False) -> Iterator[Sandbox]:
    """A sandbox around a database in memory. With `caseless`, ASCII letters compare blind to case."""
    with closing(sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)) as connection:
        limits = Limits()
        _limit_memory(connection, limits)
        fill(connection, database, caseless=caseless)
        _guard(connection, limits)
        yield Sandbox(connection, limits)


@contextmanager
def file_sandbox(path: Path, limits: Limits) -> Iterator[Sandbox]:
    """A sandbox around an SQLite file, opened for reading. Raises DatabaseMissing.

    A file that nobody else is writing is opened as immutable: SQLite then makes no file beside it, not even for WAL.
    """
    in_use = any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-journal"))
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable={0 if in_use else 1}"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=0)
    except sqlite3.Error as problem:
        raise DatabaseMissing(f"{path}: {problem}") from None
    with closing(connection):
        connection.text_factory = _decode
        _limit_memory(connection, limits)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema")
        except sqlite3.Error as problem:
            raise DatabaseMissing(f"{path}: {problem}") from None
        _guard(connection, limits)
        yield Sandbox(connection, limits)


def _fetch(cursor: sqlite3.Cursor, limits: Limits) -> list[Row]:
    rows, size = [], 0
    for row in cursor:
        rows.append(row)
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if len(rows) > limits.rows:
            raise QueryFailed(f"returns more than {limits.rows:,} rows")
        if size > limits.bytes:
            raise MemoryError
    return rows


def _decode(text: bytes) -> str:
    """Real databases hold text that is no UTF-8; it is compared, never shown."""
    return text.decode("utf-8", "surrogateescape")


def _limit_memory(connection: sqlite3.Connection, limits: Limits) -> None:
    """The heap limit holds for all connections of the process, and can only be lowered."""
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA hard_heap_limit = {limits.bytes}")


def _guard(connection: sqlite3.Connection, limits: Limits) -> None:
    for limit, value in _LENGTHS.items():
        connection.setlimit(limit, value)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.value_bytes)
    connection.set_authorizer(_authorize)


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _ACTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
