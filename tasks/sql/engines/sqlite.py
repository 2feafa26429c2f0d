"""Runs SQL that nobody has read. The model's output is hostile until it has been run here.

A query sees one SQLite database, in memory or a file opened for reading, and can do nothing but read it: an authorizer
allows SELECT and a list of functions, lengths and memory are limited, temporary data stays in memory, and a deadline in
CPU time stops it (so that a busy machine changes no verdict). What a single step of SQLite's machine can hide from the
deadline (a function over long texts that takes seconds) is killed from outside, see `worker.py`.

`PRAGMA query_only` is not enough: a query can switch it off, ATTACH a file and write to it.
"""

import datetime
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import DatabaseMissing, Limits, QueryFailed, refused
from finetune_flows.tasks.sql.engines.filling import Filling, fillings, plain_text
from finetune_flows.tasks.sql.engines.results import check_size
from finetune_flows.tasks.sql.generator.databases import Database
from finetune_flows.tasks.sql.query import MOST_CHARACTERS, Query
from finetune_flows.tasks.sql.schema import Schema

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

# One moment for gold and prediction: 'now' has milliseconds, in which two equal queries would differ.
_NOW = re.compile(
    r"(\b(?:date|time|datetime|julianday|unixepoch)\s*\(\s*|\bstrftime\s*\(\s*'[^']*'\s*,\s*)'now'", re.IGNORECASE
)


class Sandbox:
    """A database that answers queries and can do nothing else. Made by `SqliteSession` and `file_sandbox`."""

    def __init__(self, connection: sqlite3.Connection, limits: Limits) -> None:
        self._connection, self._limits = connection, limits

    def run(self, query: str) -> list[Row]:
        """The rows of one SELECT. Raises QueryFailed."""
        limits = self._limits
        end = time.thread_time() + limits.seconds
        self._connection.set_progress_handler(lambda: time.thread_time() > end, STEPS_BETWEEN_LOOKS)
        try:
            cursor = self._connection.execute(query)
            rows = check_size(cursor, limits)
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


class SqliteSession:
    """A schema in a database in memory. Its tables are made once; each set of rows lives in a transaction that is rolled back."""

    engine = f"SQLite {sqlite3.sqlite_version}"

    def __init__(self, schema: Schema) -> None:
        """Raises SchemaRefused."""
        self._schema, self._limits = schema, Limits()
        self._now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S}"
        self._database: Database = ()
        self._connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        try:
            _limit_memory(self._connection, self._limits)
            self._define(self._connection)
        except BaseException:
            self.close()
            raise
        _guard(self._connection, self._limits)

    def load(self, database: Database, *, turned: bool = False) -> None:
        """Raises SchemaRefused."""
        self._database = database
        self._refill()
        self._connection.execute(f"PRAGMA reverse_unordered_selects = {'ON' if turned else 'OFF'}")
        _guard(self._connection, self._limits)

    def _refill(self) -> None:
        _take_guard_off(self._connection)
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN")
        self._fill(self._connection, self._database)

    def _define(self, connection: sqlite3.Connection) -> None:
        """Make the tables, by the schema's own words. Raises SchemaRefused."""
        for statement in self._schema.statements:
            try:
                connection.execute(statement.text)
            except (sqlite3.Error, sqlite3.Warning, ValueError) as problem:
                if statement.is_needed:
                    raise refused("SQLite", statement, problem) from None

    def _fill(self, connection: sqlite3.Connection, database: Database) -> None:
        for part in fillings(self._schema, database):
            _insert(connection, part)

    def run(self, query: Query) -> list[Row]:
        """Raises QueryFailed."""
        try:
            return Sandbox(self._connection, self._limits).run(_NOW.sub(rf"\1'{self._now}'", query.text))
        except QueryFailed:
            if not self._connection.in_transaction:  # SQLite itself rolls back when it runs out of memory
                self._refill()
                _guard(self._connection, self._limits)
            raise

    def close(self) -> None:
        """The database in memory is gone."""
        self._connection.close()


def _insert(connection: sqlite3.Connection, part: Filling) -> None:
    """Rows that a constraint refuses are left out."""
    names, places = ", ".join(part.columns), ", ".join("?" * len(part.columns))
    rows = [tuple(map(_stored, row)) for row in part.rows]
    connection.executemany(f"INSERT OR IGNORE INTO {part.table} ({names}) VALUES ({places})", rows)


def _stored(value: Any) -> Any:
    """SQLite keeps dates and documents as text."""
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    return float(value) if isinstance(value, Decimal) else plain_text(value)


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


def _take_guard_off(connection: sqlite3.Connection) -> None:
    """Rows are put in by ourselves. A limit above SQLite's own is that one."""
    for limit in _LENGTHS:
        connection.setlimit(limit, 2**31 - 1)
    connection.set_authorizer(None)


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _ACTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
