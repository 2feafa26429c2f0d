"""Where SQL is judged: the dialect's own engine, or SQLite in its place."""

from finetune_flows.tasks.sql.engines.contract import EngineMissing, SchemaRefused, Session
from finetune_flows.tasks.sql.engines.sqlite import SqliteSession
from finetune_flows.tasks.sql.engines.translated import TranslatedSession
from finetune_flows.tasks.sql.schema import Schema


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
        session = SqliteSession(schema)
        session.load(())  # it says whether it takes the schema
        return session
    if schema.dialect == "duckdb":
        return _duckdb_session(schema)
    if isinstance(server, str):
        return _server_session(schema, server)
    raise server or EngineMissing(f"no {schema.dialect} server is running here")


def _duckdb_session(schema: Schema) -> Session:
    try:
        from finetune_flows.tasks.sql.engines.duckdb import DuckdbSession
    except ImportError:
        raise EngineMissing("DuckDB is not installed: pip install 'finetune-flows[databases]'") from None
    return DuckdbSession(schema)


def _server_session(schema: Schema, server: str) -> Session:
    if schema.dialect == "postgres":
        from finetune_flows.tasks.sql.engines.postgres import PostgresSession

        return PostgresSession(schema, server)
    from finetune_flows.tasks.sql.engines.mysql import MysqlSession

    return MysqlSession(schema, server)
