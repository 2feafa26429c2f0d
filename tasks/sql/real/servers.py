"""Sessions with DuckDB files, PostgreSQL and MySQL servers, through SQLAlchemy.

What protects a server from hostile SQL is, in this order: the role, which may only read; the read-only transaction, rolled
back whatever happens; the server's own time limit; and that only one statement arrives, a SELECT that sqlglot understood
and spelt. DuckDB has no roles and runs in our worker process: its file is opened for reading, and access to anything else
is switched off and locked.
"""

import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import DatabaseMissing, QueryFailed
from finetune_flows.tasks.sql.engines.results import comparable
from finetune_flows.tasks.sql.real.database import RealDatabase, SessionLost
from finetune_flows.tasks.sql.real.roles import rights_to_write

log = logging.getLogger("finetune")

CONNECT_SECONDS = 10
DRIVERS = {"postgres": "postgresql+psycopg", "mysql": "mysql+pymysql", "duckdb": "duckdb"}
LOCKED = {"enable_external_access": "false", "memory_limit": "256MB", "threads": "1", "lock_configuration": "true"}


class ServerSession:
    """A connection whose queries read, are limited, and are rolled back."""

    def __init__(self, connection: sa.Connection, database: RealDatabase) -> None:
        self._connection, self._database = connection, database

    def run(self, query: str) -> list[Row]:
        """The rows of one query. Raises QueryFailed, or SessionLost."""
        try:
            for statement in self._limits():
                self._execute(statement)
            rows = self._fetch(query)
        except MemoryError:
            raise QueryFailed("needs too much memory") from None
        except sa.exc.DBAPIError as problem:
            failure = SessionLost if problem.connection_invalidated else QueryFailed
            raise failure(_words(problem)) from None
        except (sa.exc.SQLAlchemyError, ValueError, OverflowError) as problem:  # no rows, or values Python cannot hold
            raise QueryFailed(str(problem)[:300]) from None
        finally:
            self._connection.rollback()
        if len(rows) > self._database.rows:
            raise QueryFailed(f"returns more than {self._database.rows:,} rows")
        return [tuple(map(comparable, row)) for row in rows]

    def rights_to_write(self) -> list[str]:
        """What the role may do beyond reading, in words; nothing, and a warning, where the server does not say."""
        try:
            return rights_to_write(self._connection, self._database.dialect)
        except sa.exc.DBAPIError as problem:
            log.warning("%s: cannot tell what the role may do: %s", self._database.source, _words(problem))
            return []
        finally:
            self._connection.rollback()

    def _limits(self) -> list[str]:
        """What is said before each query. MySQL would send all rows at once, so it is told how many."""
        seconds, rows = self._database.seconds, self._database.rows
        if self._database.dialect == "postgres":
            return ["SET TRANSACTION READ ONLY", f"SET LOCAL statement_timeout = {math.ceil(1000 * seconds)}"]
        if self._database.dialect == "mysql":
            mariadb = getattr(self._connection.dialect, "is_mariadb", False)
            limit = (
                f"max_statement_time = {seconds}" if mariadb else f"max_execution_time = {math.ceil(1000 * seconds)}"
            )
            return [f"SET SESSION {limit}, sql_select_limit = {rows + 1}", "START TRANSACTION READ ONLY"]
        return []

    def _fetch(self, query: str) -> list[sa.Row[Any]]:
        """PostgreSQL keeps the rows behind a cursor, which takes no writing query.

        One FETCH brings all that are wanted: of two, the first could lift the time limit of the second.
        """
        most = self._database.rows + 1
        if self._database.dialect == "postgres":
            self._execute(f"DECLARE judged NO SCROLL CURSOR FOR {query}")
            return list(self._execute(f"FETCH FORWARD {most} FROM judged").all())
        with self._interrupted_in_time():
            return list(self._execute(query).fetchmany(most))

    def _execute(self, statement: str) -> sa.CursorResult[Any]:
        return self._connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    @contextmanager
    def _interrupted_in_time(self) -> Iterator[None]:
        """DuckDB has no time limit of its own."""
        if self._database.dialect != "duckdb":
            yield
            return
        timer = threading.Timer(self._database.seconds, self._connection.connection.dbapi_connection.interrupt)  # type: ignore[union-attr]
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextmanager
def open_session(database: RealDatabase) -> Iterator[ServerSession]:
    """A session with a server, or with a DuckDB file in this process. Raises DatabaseMissing."""
    if database.dialect == "duckdb" and not Path(_url(database).database or "").is_file():
        raise DatabaseMissing(f"{database.source}: there is no such file")
    try:
        connection = _engine(database).connect()
    except sa.exc.DBAPIError as problem:
        raise DatabaseMissing(f"{database.source}: {_words(problem)}") from None
    with connection:
        yield ServerSession(connection, database)


@lru_cache(maxsize=64)
def _engine(database: RealDatabase) -> sa.Engine:
    """No pool: a session is never used twice, so that nothing a query sets in it can reach another one."""
    settings: dict[str, dict[str, Any]] = {
        # PostgreSQL prepares no text that holds two statements.
        "postgres": {"connect_timeout": CONNECT_SECONDS, "prepare_threshold": 0},
        "mysql": {"connect_timeout": CONNECT_SECONDS, "read_timeout": math.ceil(database.seconds) + CONNECT_SECONDS},
        "duckdb": {"read_only": True, "config": LOCKED},
    }
    try:
        return sa.create_engine(_url(database), poolclass=sa.NullPool, connect_args=settings[database.dialect])
    except ImportError as problem:
        raise EnvironmentProblem(f"{database.source}: {problem}; pip install 'finetune-flows[databases]'") from None


def _url(database: RealDatabase) -> sa.URL:
    url = sa.make_url(database.source).set(drivername=DRIVERS[database.dialect])
    if database.password_variable is None:
        return url
    password = os.environ.get(database.password_variable)
    if password is None:
        raise DatabaseMissing(f"{database.source}: the environment variable {database.password_variable} is not set")
    return url.set(password=password)


def _words(problem: sa.exc.DBAPIError) -> str:
    """What the database said, without the lines that show where."""
    lines = str(problem.orig).splitlines()
    return lines[0][:300] if lines else type(problem.orig).__name__
