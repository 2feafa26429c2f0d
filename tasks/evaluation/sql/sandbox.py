"""Runs SQL that nobody has read. The model's output is hostile until it has been run here.

A query sees one in-memory database and can do nothing but read it: an authorizer allows SELECT and a list of functions,
lengths and memory are limited, temporary data stays in memory, and a deadline in CPU time stops it (so that a busy
machine changes no verdict). What a single step of SQLite's machine can hide from the deadline (a LIKE pattern that
backtracks for hours) is killed from outside, see `worker.py`.

`PRAGMA query_only` is not enough: a query can switch it off, ATTACH a file and write to it.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.evaluation.sql.compare import Row
from tasks.evaluation.sql.databases import Database, fill
from tasks.evaluation.sql.query import MOST_CHARACTERS

DEADLINE_SECONDS = 0.5
MOST_ROWS = 20_000
MOST_BYTES = 64 * 2**20
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
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 100_000,
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
    """The query gave no result. The message says why: SQLite's own words, or the limit it met."""


class Sandbox:
    """A filled database that answers queries. Made by `sandbox`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, query: str) -> list[Row]:
        """The rows of one SELECT. Raises QueryFailed."""
        end = time.thread_time() + DEADLINE_SECONDS
        self._connection.set_progress_handler(lambda: time.thread_time() > end, STEPS_BETWEEN_LOOKS)
        try:
            cursor = self._connection.execute(query)
            rows = cursor.fetchmany(MOST_ROWS + 1)
        except MemoryError:
            raise QueryFailed(f"needs more than {MOST_BYTES >> 20} MiB") from None
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as problem:
            late = time.thread_time() > end
            raise QueryFailed(f"stopped after {DEADLINE_SECONDS} s" if late else str(problem)[:300]) from None
        if cursor.description is None:
            raise QueryFailed("holds no query")
        if len(rows) > MOST_ROWS:
            raise QueryFailed(f"returns more than {MOST_ROWS:,} rows")
        return rows


@contextmanager
def sandbox(database: Database, *, caseless: bool = False) -> Iterator[Sandbox]:
    """A sandbox around a database in memory. With `caseless`, ASCII letters compare blind to case."""
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA hard_heap_limit = {MOST_BYTES}")
        fill(connection, database, caseless=caseless)
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(_authorize)
        yield Sandbox(connection)
    finally:
        connection.close()


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _ACTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
