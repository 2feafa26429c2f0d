"""SQLite in place of another engine: the schema rebuilt from what is understood of it, the queries respelt.

What SQLite cannot say, or says with another meaning, is no fault of a query. It is refused as not translatable, and the
pair counts as not evaluable. A query that names a table or column that is not there fails in any engine.
"""

import re
import sqlite3

from sqlglot import exp

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.databases import Database, fill
from finetune_flows.tasks.sql.engines.contract import NotTranslatable, QueryFailed, refused
from finetune_flows.tasks.sql.engines.sqlite import SqliteSession
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
        super().__init__(schema)

    def define(self, connection: sqlite3.Connection, database: Database) -> None:
        """Tables, the rows that the schema itself brings, and views. Raises SchemaRefused."""
        fill(connection, database)
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
        if query.tree is not None and (gap := _gap(query.tree)):
            raise NotTranslatable(f"SQLite has no equal of {gap}")
        try:
            return super().run(query.in_sqlite)
        except NotTranslatable:
            raise
        except QueryFailed as problem:
            if query.tree is None or _FAILS_ANYWHERE.search(str(problem)):
                raise
            raise NotTranslatable(f"not in SQLite's words: {problem}") from None


def _gap(tree: exp.Expr) -> str | None:
    """The first construct that SQLite would run with another meaning."""
    for node in tree.walk():
        if _means_something_else(node):
            return node.sql()[:80]
    return None


def _means_something_else(node: exp.Expr) -> bool:
    if isinstance(node, exp.Cast):
        return node.to.this in exp.DataType.NUMERIC_TYPES and not isinstance(node.this, exp.Literal | exp.Column)
    if isinstance(node, exp.Fetch):
        return bool(node.args.get("limit_options"))
    if isinstance(node, exp.DateDiff):
        return node.text("unit").upper() not in ("", "DAY")
    return isinstance(node, exp.Bracket | exp.ToChar | exp.TimeToStr | exp.Greatest | exp.Least)
