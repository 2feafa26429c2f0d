"""MariaDB for the dialect mysql: a database for each pair, filled by one account and read by another.

The server ends a statement that takes too long. A query may not lift that limit: only a text that begins as a query does
is sent, by a connection that takes one statement, and none with a comment that MariaDB runs.
"""

import re
import time
from decimal import Decimal
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import Limits, QueryFailed, refused
from finetune_flows.tasks.sql.engines.filling import Filling, fillings, plain_text, quoted
from finetune_flows.tasks.sql.engines.mysql_server import Room
from finetune_flows.tasks.sql.engines.results import comparable_rows, first_line, text_of
from finetune_flows.tasks.sql.generator.databases import Database
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.schema import Schema

_BEGINS = re.compile(r"(?:\s|\(|/\*.*?\*/|--\s[^\n]*\n|#[^\n]*\n)*(?:select|with|values)\b", re.IGNORECASE | re.DOTALL)
_RUN_COMMENT = re.compile(r"/\*M?!")
_TIMED_OUT = {1969, 3024}  # MariaDB's and MySQL's

_fillers: dict[str, "pymysql.Connection[Any]"] = {}


class MysqlSession:
    """A schema in the database that is this worker's own."""

    def __init__(self, schema: Schema, address: str) -> None:
        self._schema, self._limits = schema, Limits()
        self._address, self._place = address, Room.model_validate_json(address)
        self._room = self._place.name
        self._now = int(time.time())
        self._filled: set[str] = set()
        self._filler = self._filling_connection()
        self._reader: pymysql.Connection[Any] | None = None
        version = re.search(r"(\d+\.\d+\.\d+)-MariaDB", self._filler.get_server_info())
        self.engine = f"MariaDB {version[1]}" if version else f"MySQL {self._filler.get_server_info()}"
        self._fill(f"DROP DATABASE IF EXISTS {self._room}; CREATE DATABASE {self._room}; USE {self._room}")
        self._define()

    def _filling_connection(self) -> "pymysql.Connection[Any]":
        if self._address not in _fillers or not _fillers[self._address].open:
            filler = self._place.connect(f"{self._room}filler", autocommit=True, client_flag=CLIENT.MULTI_STATEMENTS)
            filler.query("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'")
            _fillers[self._address] = filler
        return _fillers[self._address]

    def _define(self) -> None:
        """Rows that the schema brings come with the others, each time."""
        for statement in self._schema.statements:
            if statement.kind == "rows":
                continue
            try:
                self._fill(statement.text)
            except pymysql.Error as problem:
                if statement.is_needed:
                    raise refused("MariaDB", statement, problem.args[-1]) from None

    def load(self, database: Database, *, turned: bool = False) -> None:
        """Rows that a constraint refuses are left out."""
        own = [statement.text for statement in self._schema.statements if statement.kind == "rows"]
        parts = fillings(self._schema, database)
        self._filled |= {*self._schema.spellings.values()} if own else {part.table for part in parts}
        empty = [f"DELETE FROM {table}" for table in self._filled]
        try:
            self._fill(";".join([*empty, *own, *map(_insertion, parts)]))
        except pymysql.Error:
            self._fill(";".join(empty))
            for statement in [
                *own,
                *(_insertion(Filling(p.table, p.columns, (row,))) for p in parts for row in p.rows),
            ]:
                self._try(statement)

    def run(self, query: Query) -> list[Row]:
        """Raises QueryFailed."""
        text = text_of(query)
        if not _BEGINS.match(text) or _RUN_COMMENT.search(text):
            raise QueryFailed("is not one query that reads")
        try:
            return self._fetch(text)
        except (MemoryError, UnicodeError, ValueError, OverflowError) as problem:
            self._leave()
            raise QueryFailed(str(problem)[:300] or f"needs more than {self._limits.bytes >> 20} MiB") from None
        except pymysql.Error as problem:
            code, words = problem.args[0], str(problem.args[-1])
            if code in _TIMED_OUT:
                raise QueryFailed(f"stopped after {self._limits.server_seconds:g} s") from None
            if isinstance(problem, pymysql.OperationalError) and code >= 2000:
                self._leave()  # the connection is lost
            raise QueryFailed(first_line(words)) from None

    def _fetch(self, text: str) -> list[Row]:
        """All at once: a result that is too large meets the limits of this process."""
        with self._reading_connection().cursor() as cursor:
            cursor.execute(text)
            if cursor.description is None:
                raise QueryFailed("holds no query")
            return comparable_rows(cursor.fetchall(), self._limits)

    def _reading_connection(self) -> "pymysql.Connection[Any]":
        """New for each pair, with one moment for gold and prediction."""
        if self._reader is None:
            seconds = self._limits.server_seconds
            limit = (
                f"max_statement_time = {seconds}"
                if self.engine.startswith("MariaDB")
                else f"max_execution_time = {round(1000 * seconds)}"
            )
            self._reader = self._place.connect(
                self._room,
                database=self._room,
                read_timeout=10 * int(seconds),
                init_command=f"SET timestamp = {self._now}, time_zone = '+00:00', {limit}, sql_select_limit = {self._limits.rows + 1}",
            )
        return self._reader

    def _leave(self) -> None:
        if self._reader is not None:
            self._reader._force_close()  # close() would wait for the rest of the rows
            self._reader = None

    def close(self) -> None:
        """The next pair begins with an empty database."""
        self._leave()

    def _fill(self, statements: str) -> None:
        with self._filler.cursor() as cursor:
            cursor.execute(statements)
            while cursor.nextset():
                pass

    def _try(self, statement: str) -> None:
        try:
            self._fill(statement)
        except pymysql.Error:
            return


def _insertion(part: Filling) -> str:
    rows = ",".join(f"({','.join(map(_literal, row))})" for row in part.rows)
    return f"INSERT IGNORE INTO {part.table} ({', '.join(part.columns)}) VALUES {rows}"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float | Decimal):
        return str(int(value)) if isinstance(value, bool) else str(value)
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return quoted(plain_text(value).replace("\\", "\\\\"))
