"""SQLite in place of another engine: the schema rebuilt from what is understood of it, the queries respelt.

What SQLite cannot say, or says with another meaning, is no fault of a query. It is refused as not translatable, and the
pair counts as not evaluable. A query that names a table or column that is not there fails in any engine.
"""

import re
import sqlite3
from functools import cache

from sqlglot import exp

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import NotTranslatable, QueryFailed, refused
from finetune_flows.tasks.sql.engines.gaps import gap
from finetune_flows.tasks.sql.engines.sqlite import SqliteSession
from finetune_flows.tasks.sql.generator.databases import Database, fill
from finetune_flows.tasks.sql.query import Query, to_sqlite
from finetune_flows.tasks.sql.schema import Schema

_FAILS_ANYWHERE = re.compile(
    r"no such (table|column)|ambiguous column|not authorized|stopped after|needs more than|returns more than|holds no query"
    r"|one statement|misuse of aggregate"
)


class TranslatedSession(SqliteSession):
    """A schema of another dialect in SQLite. Its columns are text or numbers, whichever the gold query compares them with."""

    def __init__(self, schema: Schema) -> None:
        self.engine = f"{SqliteSession.engine}, translated from {schema.dialect}"
        self._gap = cache(lambda query: gap(query, schema))  # each query runs on several databases
        super().__init__(schema)

    def _define(self, connection: sqlite3.Connection) -> None:
        """The types of the columns follow the rows, so the tables are made with them."""
        if self._schema.dialect != "mysql":
            connection.execute("PRAGMA case_sensitive_like = ON")

    def _fill(self, connection: sqlite3.Connection, database: Database) -> None:
        """Tables, the rows that the schema itself brings, and views. Raises SchemaRefused."""
        fill(connection, database, "NOCASE" if self._schema.dialect == "mysql" else "BINARY")
        for statement in self._schema.statements:
            if statement.kind not in ("view", "rows"):
                continue
            try:
                connection.execute(to_sqlite(statement.text, statement.tree(self._schema.dialect)))
            except sqlite3.Error as problem:
                if statement.is_needed:
                    raise refused("SQLite", statement, problem) from None

    def run(self, query: Query) -> list[Row]:
        """Raises QueryFailed, or NotTranslatable."""
        if query.dialect == "sqlite":
            return super().run(query)
        if query.tree is not None and (found := self._gap(query)):
            raise NotTranslatable(f"SQLite may read it otherwise: {found}")
        try:
            return super().run(_without_schema_names(query).in_sqlite)
        except NotTranslatable:
            raise
        except QueryFailed as problem:
            if query.tree is None or _FAILS_ANYWHERE.search(str(problem)):
                raise
            raise NotTranslatable(f"not in SQLite's words: {problem}") from None


def _without_schema_names(query: Query) -> Query:
    """public.orders is orders: here is one schema only."""
    if query.tree is None or not any(table.db for table in query.tree.find_all(exp.Table)):
        return query
    tree = query.tree.copy()
    for table in tree.find_all(exp.Table):
        table.set("db", None)
        table.set("catalog", None)
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    return Query.of(tree, query.dialect)
