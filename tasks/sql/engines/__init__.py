"""Where SQL is judged: the dialect's own engine, or SQLite in its place."""

from importlib.metadata import version

from finetune_flows.tasks.sql.engines.contract import EngineMissing, SchemaRefused, Session
from finetune_flows.tasks.sql.engines.sqlite import SqliteSession
from finetune_flows.tasks.sql.engines.translated import TranslatedSession
from finetune_flows.tasks.sql.schema import Schema

_EXTRA = "pip install 'finetune-flows[databases]'"
INSTALL = {
    "duckdb": _EXTRA,
    "postgres": _EXTRA,
    "mysql": f"{_EXTRA} and apt install mariadb-server, or brew install mariadb",
}
"""What brings a dialect's engine. SQLite is part of Python."""


def open_session(schema: Schema, server: str | EngineMissing | None) -> tuple[Session, str | None]:
    """A session in the dialect's own engine; where it is missing or refuses the schema, in SQLite, and why.

    `server`: where the engine listens, if it is one, or why it does not. Raises SchemaRefused when SQLite takes the schema
    neither.
    """
    try:
        return _own_session(schema, server), None
    except (EngineMissing, SchemaRefused) as problem:
        return TranslatedSession(schema), str(problem)


def _own_session(schema: Schema, server: str | EngineMissing | None) -> Session:
    """An engine is imported when a pair needs it: most workers need one."""
    if schema.dialect == "sqlite":
        return SqliteSession(schema)
    if schema.dialect == "duckdb":
        return _duckdb_session(schema)
    if isinstance(server, str):
        return _server_session(schema, server)
    raise server or EngineMissing(f"no {schema.dialect} server is running here")


def _duckdb_session(schema: Schema) -> Session:
    try:
        from finetune_flows.tasks.sql.engines.duckdb import DuckdbSession
    except ImportError:
        raise EngineMissing(f"DuckDB is not installed: {INSTALL['duckdb']}") from None
    return DuckdbSession(schema)


def _server_session(schema: Schema, server: str) -> Session:
    if schema.dialect == "postgres":
        from finetune_flows.tasks.sql.engines.postgres import PostgresSession

        return PostgresSession(schema, server)
    from finetune_flows.tasks.sql.engines.mysql import MysqlSession

    return MysqlSession(schema, server)


def engine_here(dialect: str) -> str | None:
    """Name and version of the dialect's own engine, as far as it is installed here; it is not started."""
    try:
        if dialect == "sqlite":
            return SqliteSession.engine
        if dialect == "duckdb":
            return f"DuckDB {version('duckdb')}"
        if dialect == "postgres":
            from finetune_flows.tasks.sql.engines import postgres_server

            return postgres_server.installed()
        from finetune_flows.tasks.sql.engines import mysql_server

        return mysql_server.installed()
    except ImportError:
        return None
