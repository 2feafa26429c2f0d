"""What goes into the tables, as an engine takes it."""

import datetime
import json
from dataclasses import dataclass
from typing import Any

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
    tables = {table.name: table for table in database}
    return [_filling(schema, tables[name]) for name in schema.parents_first if name in tables and tables[name].rows]


def _filling(schema: Schema, table: Table) -> Filling:
    columns = [schema[table.name, column.lower()] for column, _ in table.columns]
    kept = [i for i, column in enumerate(columns) if not column.computed]
    rows = table.rows if len(kept) == len(columns) else tuple(tuple(row[i] for i in kept) for row in table.rows)
    documents = {at for at, i in enumerate(kept) if columns[i].type.kind == "json"}
    if documents:
        rows = tuple(tuple(_text(v) if at in documents else v for at, v in enumerate(row)) for row in rows)
    return Filling(schema.spellings[table.name], tuple(columns[i].spelling for i in kept), rows)


def _text(document: Any) -> Any:
    """To an engine, a list is an array."""
    return json.dumps(document) if isinstance(document, list | dict) else document


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
