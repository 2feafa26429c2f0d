"""DuckDB in this process: one database in memory, whose doors to files, network and extensions are locked.

Only a statement that DuckDB itself takes for a SELECT is run. Each set of rows lives in a transaction that is rolled back.
"""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import duckdb

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import Limits, QueryFailed, refused
from finetune_flows.tasks.sql.engines.filling import Filling, fillings, plain_text
from finetune_flows.tasks.sql.engines.results import comparable_rows, first_line, text_of
from finetune_flows.tasks.sql.generator.databases import Database
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.schema import Schema

# Made-up tables hold some thirty rows: planning costs more than it saves, but for what keeps joins from growing.
_NOT_WORTH_IT = """
    aggregate_function_rewriter aggregate_reuse build_side_probe_side column_lifetime common_aggregate common_subexpressions
    common_subplan compressed_materialization cte_filter_pusher distinct_aggregate_rewrite duplicate_groups grouping_sets
    join_elimination join_filter_pushdown late_materialization limit_pushdown materialized_cte outer_join_simplification
    partial_aggregate_pushdown partitioned_execution projection_placement projection_pullup redundant_order_keys
    reorder_filter row_group_pruner sampling_pushdown scalar_fn_pushdown statistics_propagation top_n_window_elimination
    type_pushdown window_rewriter window_self_join
"""
LOCKED = {
    "enable_external_access": "false",
    "memory_limit": "256MB",
    "threads": "1",
    "temp_directory": "",
}
SECONDS_BETWEEN_LOOKS = 0.02
SCHEMA = "judged"
_DEFINING = {duckdb.StatementType.CREATE, duckdb.StatementType.ALTER, duckdb.StatementType.INSERT}
_CHANGING_WORDS = re.compile(r"\b(?:delete|insert|update|merge|truncate)\b", re.IGNORECASE)
_CHANGING_NODES = re.compile(r'"type":"(?:DELETE|INSERT|UPDATE|MERGE|TRUNCATE)\w*_NODE"')


class DuckdbSession:
    """A schema in DuckDB.

    Most pairs are told apart on their first database, so at first the tables are made, filled and read in one transaction,
    which costs less than half of a catalogue. When other rows are needed, the tables get a catalogue of their own.
    """

    engine = f"DuckDB {duckdb.__version__}"

    def __init__(self, schema: Schema) -> None:
        self._limits = Limits()
        self._connection = _database().cursor()
        self._schema = schema
        self._statements = list(schema.statements)
        self._in_transaction = self._in_catalogue = self._holds_rows = False
        self._parts: list[Filling] = []
        try:
            self._begin()
            self._define()
        except Exception:
            self.close()
            raise

    def _define(self) -> None:
        """Make the tables. Raises SchemaRefused."""
        for statement in tuple(self._statements):
            try:
                parsed = _parsed(statement.text)
                if not _DEFINING.issuperset(part.type for part in parsed):
                    raise duckdb.ParserException("it does not define anything")
                for part in parsed:
                    self._connection.execute(part)
            except duckdb.Error as problem:
                if statement.is_needed:
                    raise refused("DuckDB", statement, problem) from None
                self._statements.remove(statement)
                if self._in_transaction:  # the error has ended it: without this statement once more
                    self._roll_back()
                    self._begin()
                    return self._define()
        return None

    def _enter_catalogue(self) -> None:
        """Empty tables that stay, in a catalogue that is thrown away with the session."""
        self._leave_catalogue()
        self._connection.execute(f"ATTACH ':memory:' AS {SCHEMA}")
        self._in_catalogue = True
        self._connection.execute(f"USE {SCHEMA}")
        self._define()

    def _leave_catalogue(self) -> None:
        if self._in_catalogue:
            self._connection.execute(f"USE memory; DETACH {SCHEMA}")
            self._in_catalogue = self._holds_rows = False

    def load(self, database: Database, *, turned: bool = False) -> None:
        """Rows that a constraint refuses are left out."""
        is_first, self._parts = not self._parts, fillings(self._schema, database)
        self._fill(is_empty=is_first)

    def _fill(self, *, is_empty: bool = False) -> None:
        if not is_empty:
            self._empty()
        try:
            for part in self._parts:
                _insert(self._connection, part)
        except duckdb.Error:  # a constraint: which rows break it is found out one by one
            self._fill_one_by_one()

    def _empty(self) -> None:
        self._roll_back()
        if not self._in_catalogue or self._holds_rows:
            self._enter_catalogue()
        self._begin()

    def _fill_one_by_one(self) -> None:
        """An error ends DuckDB's transaction, so the rows are tried outside of one."""
        self._roll_back()
        self._enter_catalogue()
        self._holds_rows = True
        for part in self._parts:
            for row in part.rows:
                try:
                    _insert(self._connection, replace(part, rows=(row,)))
                except duckdb.Error:
                    continue

    def run(self, query: Query) -> list[Row]:
        """Raises QueryFailed. An error may have ended the transaction, and the rows are put in again."""
        try:
            return self._run(query)
        except QueryFailed:
            if self._in_transaction:
                self._fill()
            raise

    def _run(self, query: Query) -> list[Row]:
        text = text_of(query)
        try:
            statements = _parsed(text)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT] or self._changes(query):
                raise QueryFailed("is not one query that reads")
            with _interrupted_in_time(self._connection, self._limits.seconds):
                rows = self._connection.execute(statements[0]).fetchmany(self._limits.rows + 1)
            return comparable_rows(rows, self._limits)
        except (MemoryError, duckdb.OutOfMemoryException):
            raise QueryFailed(f"needs more than {self._limits.bytes >> 20} MiB") from None
        except duckdb.InterruptException:
            raise QueryFailed(f"stopped after {self._limits.seconds:g} s") from None
        except (duckdb.Error, ValueError, TypeError, OverflowError, RuntimeError) as problem:
            raise QueryFailed(first_line(problem)) from None

    def _changes(self, query: Query) -> bool:
        """Whether a part of a SELECT changes rows: a CTE may. DuckDB itself says so, asked where such a word is in the text."""
        if not _CHANGING_WORDS.search(query.text):
            return False
        parsed: str = self._connection.execute("SELECT json_serialize_sql(?)", [query.text]).fetchall()[0][0]
        return parsed.startswith('{"error":true') or _CHANGING_NODES.search(parsed) is not None

    def _begin(self) -> None:
        self._connection.execute(_parsed("BEGIN")[0])
        self._in_transaction = True

    def _roll_back(self) -> None:
        if self._in_transaction:
            self._connection.execute(_parsed("ROLLBACK")[0])
            self._in_transaction = False

    def close(self) -> None:
        """Tables and rows go."""
        self._roll_back()
        self._leave_catalogue()
        self._connection.close()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for the process: opening it takes longer than judging a pair."""
    connection = duckdb.connect(":memory:", config={**LOCKED})
    known = {name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()}
    connection.execute(f"SET disabled_optimizers = '{','.join(known & set(_NOT_WORTH_IT.split()))}'")
    connection.execute("SET lock_configuration = true")
    return connection


@lru_cache(maxsize=256)
def _parsed(text: str) -> list[duckdb.Statement]:
    """DuckDB spends a fifth of the time of a small statement on its text; most come several times. Raises duckdb.Error."""
    return _database().extract_statements(text)


def _insert(connection: duckdb.DuckDBPyConnection, part: Filling) -> None:
    """All rows by one statement, a list for each column: DuckDB takes them many times faster than one by one."""
    lists = ", ".join(f"unnest(${i})" for i in range(1, len(part.columns) + 1))
    columns = [_column(list(values)) for values in zip(*part.rows, strict=True)]
    insertion = _parsed(f"INSERT INTO {part.table} ({', '.join(part.columns)}) SELECT {lists}")
    connection.execute(insertion[0], columns)


def _column(values: list[Any]) -> list[Any]:
    """Values of one type; what DuckDB would not take for the same type goes as text, which it casts."""
    types = {type(value) for value in values if value is not None}
    if types <= {bool} or types <= {int} or types <= {float} or types <= {list}:
        return values
    return [None if value is None else plain_text(value) for value in values]


@contextmanager
def _interrupted_in_time(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """DuckDB has no time limit of its own."""
    watch = _watch()
    watch.connection, watch.end = connection, time.process_time() + seconds
    try:
        yield
    finally:
        watch.connection = None


class _Watch(threading.Thread):
    """Looks now and then whether the query that runs has used up its CPU time. One thread: starting one costs as much as a query."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.connection: duckdb.DuckDBPyConnection | None = None
        self.end = 0.0

    def run(self) -> None:
        while True:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            connection = self.connection
            if connection is not None and time.process_time() > self.end:
                connection.interrupt()


@cache
def _watch() -> _Watch:
    watch = _Watch()
    watch.start()
    return watch
