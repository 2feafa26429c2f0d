"""PostgreSQL: each pair in a transaction that is rolled back, each query behind a savepoint, read-only, in a cursor.

A cursor takes a SELECT and nothing else. It is declared by the protocol that takes one statement only. What the role of
the session may do, and for how long, is set up in `postgres_server.py`.
"""

from decimal import Decimal
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import Limits, QueryFailed, refused
from finetune_flows.tasks.sql.engines.filling import Filling, fillings, plain_text, quoted
from finetune_flows.tasks.sql.engines.results import comparable_rows, first_line, text_of
from finetune_flows.tasks.sql.generator.databases import Database
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.schema import Schema

_connections: dict[str, psycopg.Connection[Row]] = {}


class PostgresSession:
    """A schema in the database that is this worker's own."""

    def __init__(self, schema: Schema, address: str) -> None:
        self._schema, self._address, self._limits = schema, address, Limits()
        self._parts: list[Filling] = []
        self._connection = self._open()
        version = self._connection.info.parameter_status("server_version") or ""
        self.engine = f"PostgreSQL {version.split(' ')[0]}"  # without the packager's own words

    def _open(self) -> psycopg.Connection[Row]:
        """The worker's connection, in a transaction in which the schema is made. Raises SchemaRefused."""
        connection = _connections.get(self._address)
        if connection is None or connection.closed:
            connection = _connections[self._address] = psycopg.connect(self._address, autocommit=True)
        self._connection = connection
        try:
            self._execute("BEGIN")
            self._define()
        except Exception:
            self.close()
            raise
        return connection

    def _define(self) -> None:
        """Statements that are not needed may fail, each by itself."""
        for statement in self._schema.statements:
            if not statement.is_needed:
                self._try(statement.text)
                continue
            try:
                self._execute_one(statement.text)
            except QueryFailed as problem:
                raise refused("PostgreSQL", statement, problem) from None
        for table in self._schema.partitioned:
            self._try(f'CREATE TABLE "rest of {table}" PARTITION OF {self._schema.spellings[table]} DEFAULT')
        self._execute("SAVEPOINT empty")

    def load(self, database: Database, *, turned: bool = False) -> None:
        """Rows that a constraint refuses are left out."""
        self._parts = fillings(self._schema, database)
        self._fill()

    def _fill(self) -> None:
        """Raises SchemaRefused when the server has lost the session and does not take the schema again."""
        if self._connection.closed:
            self._open()
        try:
            self._execute("ROLLBACK TO empty;" + ";".join(map(_insertion, self._parts)))
        except psycopg.Error:  # a constraint: the server finds out which rows break it
            self._execute("ROLLBACK TO empty;" + ";".join(map(_insertion_one_by_one, self._parts)))
        for view in self._schema.materialized:
            self._execute(f"REFRESH MATERIALIZED VIEW {view}")

    def run(self, query: Query) -> list[Row]:
        """Raises QueryFailed."""
        text = text_of(query)
        if self._connection.closed:
            self._fill()
        most = self._limits.rows + 1
        try:
            self._execute("SAVEPOINT query; SET TRANSACTION READ ONLY")
            self._execute_one(f"DECLARE judged NO SCROLL CURSOR FOR {text}")
            rows = self._connection.execute(f"FETCH FORWARD {most} FROM judged").fetchall()
            return comparable_rows(rows, self._limits)
        except psycopg.errors.QueryCanceled:
            raise QueryFailed(f"stopped after {self._limits.server_seconds:g} s") from None
        except (MemoryError, psycopg.errors.OutOfMemory):
            raise QueryFailed(f"needs more than {self._limits.bytes >> 20} MiB") from None
        except (psycopg.Error, ValueError, OverflowError) as problem:
            raise QueryFailed(first_line(problem)) from None
        finally:
            self._roll_back_query()

    def _roll_back_query(self) -> None:
        """A session that has met its limit of temporary files cannot even do that, and is given up."""
        try:
            self._execute("ROLLBACK TO query")
        except psycopg.Error:
            self._connection.close()

    def close(self) -> None:
        """The transaction takes everything with it."""
        if not self._connection.closed:
            self._execute("ROLLBACK")

    def _execute(self, statements: str) -> None:
        self._connection.execute(statements.encode())

    def _execute_one(self, statement: str) -> None:
        """By the protocol that takes one statement only. Raises QueryFailed, or ValueError when it is no text."""
        if "\0" in statement:
            raise QueryFailed("holds a NUL")
        result = self._connection.pgconn.exec_params(statement.encode(), None)
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            words = (result.error_message or b"fails").decode(errors="replace").splitlines()[0]
            if "statement timeout" in words:
                words = f"stopped after {self._limits.server_seconds:g} s"
            raise QueryFailed(words.removeprefix("ERROR:").strip()[:300])

    def _try(self, statement: str) -> None:
        self._execute("SAVEPOINT attempt")
        try:
            self._execute_one(statement)
        except (QueryFailed, ValueError):
            self._execute("ROLLBACK TO attempt")


def _insertion(part: Filling) -> str:
    rows = ",".join(f"({','.join(map(_literal, row))})" for row in part.rows)
    return f"INSERT INTO {part.table} ({', '.join(part.columns)}) OVERRIDING SYSTEM VALUE VALUES {rows} ON CONFLICT DO NOTHING"


def _insertion_one_by_one(part: Filling) -> str:
    """One statement that leaves out each row that the server refuses."""
    attempts = "".join(
        f"BEGIN {_insertion(Filling(part.table, part.columns, (row,)))}; EXCEPTION WHEN OTHERS THEN NULL; END;"
        for row in part.rows
    )
    return f"DO {quoted(f'BEGIN {attempts} END')}"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return rf"'\x{value.hex()}'"
    return quoted(_array(value) if isinstance(value, list) else plain_text(value))


def _array(values: list[Any]) -> str:
    """In PostgreSQL's curly brackets."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return _array(value)
    text = plain_text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
