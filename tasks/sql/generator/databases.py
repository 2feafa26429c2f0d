"""Small made-up databases on which two queries can be told apart.

Rows drawn at random nearly never meet `WHERE name = 'Iris'`: both queries return nothing and look equal. So the values
are drawn around the constants of the gold query, after the fuzzing of Zhong, Yu and Klein, "Semantic Evaluation for
Text-to-SQL with Distilled Test Suites", EMNLP 2020 (arXiv 2010.02840), but for one query and without a real database.

Keys, foreign keys, NOT NULL and the CHECKs of single columns hold in the rows; other constraints need not.
"""

import datetime
import json
import random
import sqlite3
from dataclasses import dataclass, replace
from decimal import Decimal

from finetune_flows.tasks.sql.column_types import NUMBERS
from finetune_flows.tasks.sql.generator.draw import Draw
from finetune_flows.tasks.sql.generator.facts import QueryFacts
from finetune_flows.tasks.sql.generator.pools import Content
from finetune_flows.tasks.sql.generator.values import Value
from finetune_flows.tasks.sql.schema import Schema


@dataclass(frozen=True)
class Table:
    """A table with its rows. `columns`: name and SQLite type (TEXT, NUMERIC, REAL or none)."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]


Database = tuple[Table, ...]


def make_database(schema: Schema, facts: QueryFacts, seed: int) -> Database:
    """Database number `seed` for a schema and the facts of a query. The same arguments give the same rows."""
    draw = Draw(schema, facts, seed)
    return tuple(
        Table(name, _typed_columns(schema, draw, name), tuple(map(tuple, rows))) for name, rows in draw.rows().items()
    )


def _typed_columns(schema: Schema, draw: Draw, table: str) -> tuple[tuple[str, str], ...]:
    """Numbers in a text column compare as numbers where a query compares them as such; not where it casts them."""
    found = []
    for name, column in schema.tables[table].items():
        content, functions = draw.contents[table, name], draw.facts.functions.get((table, name), set())
        cast = content.as_text and not functions.isdisjoint({"cast", "cast_integer"})
        found.append((column.name, "TEXT" if cast else _sqlite_type(content, schema.dialect)))
    return tuple(found)


def _sqlite_type(content: Content, dialect: str) -> str:
    """Texts that are read as numbers compare as numbers. Fractions divide as such, but for SQLite's own DECIMAL."""
    if content.kind.kind in ("decimal", "float") and not (content.as_text or dialect == "sqlite"):
        return "REAL"
    return {"float": "REAL", "blob": ""}.get(content.kind.kind, "NUMERIC" if _is_number(content) else "TEXT")


def _is_number(content: Content) -> bool:
    return content.kind.kind in NUMBERS or content.kind.kind == "boolean"


def storage_orders(database: Database, count: int) -> list[Database]:
    """The same rows stored as drawn, in reverse, and shuffled: what a query leaves unordered comes in another order."""
    orders = [database, tuple(replace(table, rows=table.rows[::-1]) for table in database)]
    shuffle = random.Random(count)
    for _ in range(count - 2):
        orders.append(tuple(replace(t, rows=tuple(shuffle.sample(t.rows, len(t.rows)))) for t in database))
    return orders


def fill(connection: sqlite3.Connection, database: Database, collation: str = "BINARY") -> None:
    """Create the tables in an empty SQLite database. `collation`: how texts compare."""
    for table in database:
        columns = ", ".join(f"{_quoted(name)} {kind} COLLATE {collation}" for name, kind in table.columns)
        connection.execute(f"CREATE TABLE {_quoted(table.name)} ({columns})")
        places = ", ".join("?" * len(table.columns))
        rows = (tuple(map(_in_sqlite, row)) for row in table.rows)
        connection.executemany(f"INSERT INTO {_quoted(table.name)} VALUES ({places})", rows)


def _in_sqlite(value: Value) -> Value:
    """SQLite keeps dates and documents as text."""
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return json.dumps(value) if isinstance(value, dict | list) else value.isoformat()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
