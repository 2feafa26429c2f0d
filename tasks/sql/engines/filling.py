"""What goes into the tables, as an engine takes it."""

import datetime
import json
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from finetune_flows.tasks.sql.column_types import ColumnType
from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.generator.databases import Database, Table
from finetune_flows.tasks.sql.schema import Schema


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


def quoted(text: str) -> str:
    """A text as standard SQL writes it. NUL is in no text that an engine holds."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def plain_text(value: object) -> str:
    """A date, a time or a document as every engine reads it."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
