"""What every engine promises: a schema is made in it, rows are put in, and queries read them and do nothing else."""

import datetime
import json
import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

from finetune_flows.tasks.sql.column_types import ColumnType
from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.databases import Database, Table
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.schema import Schema
from finetune_flows.tasks.sql.statements import Statement


class QueryFailed(Exception):
    """The query gave no result. The message says why: the database's own words, or the limit it met."""


class NotTranslatable(QueryFailed):
    """The query may well run in its own engine; the one that is here cannot say."""


class SchemaRefused(Exception):
    """The engine does not take the schema. The message names the statement and says why."""


class EngineMissing(Exception):
    """The engine is not on this machine or does not start. The message says what to install."""


class DatabaseMissing(Exception):
    """The database is not there, cannot be reached, or is none. The message names it."""


@dataclass(frozen=True)
class Limits:
    """What one query may use: seconds, rows of the result, memory (of the engine and of the rows), bytes of a value.

    The seconds are CPU time where the engine runs in our process, so that a busy machine changes no verdict. A server
    counts wall clock time, and gets `server_seconds`.
    """

    seconds: float = 0.5
    rows: int = 20_000
    bytes: int = 64 * 2**20
    value_bytes: int = 100_000
    server_seconds: float = 2.0


class Session(Protocol):
    """One pair's schema in an engine. `engine`: its name and version."""

    engine: str

    def load(self, database: Database, *, turned: bool = False) -> None:
        """Replace all rows. Rows that the schema's own constraints refuse are left out.

        turned: rows that a query leaves unordered come the other way round, in an engine that keeps them by their key.
        """

    def run(self, query: Query) -> list[Row]:
        """The rows of one query. Raises QueryFailed."""

    def close(self) -> None:
        """Leave nothing behind."""


@dataclass(frozen=True)
class Filling:
    """Rows for one table, as an engine takes them: the names as the schema writes them, no column that is computed."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def fillings(schema: Schema, database: Database) -> list[Filling]:
    """What goes into each table, parents before their children."""
    parents: dict[str, set[str]] = {table.name: set() for table in database}
    composite = [(children[0], keys[0]) for children, keys in schema.composite_foreign_keys]
    for child, parent in [*schema.foreign_keys, *composite]:
        if child[0] != parent[0] and parent[0] in parents and child[0] in parents:
            parents[child[0]].add(parent[0])
    tables = {table.name: table for table in database}
    return [_filling(schema, tables[table]) for table in _in_order(parents) if tables[table].rows]


def _in_order(parents: dict[str, set[str]]) -> list[str]:
    """Parents first; as they come where they go in a circle."""
    try:
        return list(TopologicalSorter(parents).static_order())
    except CycleError:
        return list(parents)


def _filling(schema: Schema, table: Table) -> Filling:
    columns = [schema[table.name, column.lower()] for column, _ in table.columns]
    kept = [i for i, column in enumerate(columns) if not column.computed]
    return Filling(
        schema.spellings[table.name],
        tuple(columns[i].spelling for i in kept),
        tuple(tuple(_written(row[i], columns[i].type) for i in kept) for row in table.rows),
    )


def _written(value: Any, declared: ColumnType) -> Any:
    """A document as text: to an engine, a list is an array."""
    return json.dumps(value) if declared.kind == "json" and isinstance(value, list | dict) else value


def refused(engine: str, statement: Statement, problem: object) -> SchemaRefused:
    """The error that names the statement and says why."""
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    return SchemaRefused(f"{engine} refuses {statement.beginning!r}: {lines[0][:200]}")


def check_size(rows: Iterable[Row], limits: Limits) -> list[Row]:
    """The rows. Raises QueryFailed when there are too many, MemoryError when they are too large."""
    kept, size = [], 0
    for row in rows:
        kept.append(row)
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if len(kept) > limits.rows:
            raise QueryFailed(f"returns more than {limits.rows:,} rows")
        if size > limits.bytes:
            raise MemoryError
    return kept


def comparable(value: Any) -> Any:
    """The value as one that compares: 1.50 is 1.5, and what cannot be hashed (an array, JSON) is its text."""
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float | Decimal) and math.isnan(value):
        return "NaN"
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, list | tuple):
        return tuple(comparable(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, default=str)
    return value if isinstance(value, Hashable) else repr(value)


def quoted(text: str) -> str:
    """A text as standard SQL writes it. NUL is in no text that an engine holds."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def name(identifier: str) -> str:
    """A name as standard SQL writes it."""
    return '"' + identifier.replace('"', '""') + '"'


def plain_text(value: object) -> str:
    """A date, a time or a document as every engine reads it."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
