"""What the role of a database session may do beyond reading. A role that may write is not used to run hostile SQL."""

import logging
import re
from collections.abc import Iterable

import sqlalchemy as sa

log = logging.getLogger("finetune")

READING = {"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES"}

_POSTGRES = """
    SELECT 'is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
    UNION ALL
    SELECT 'is a member of ' || rolname FROM pg_roles
    WHERE rolname IN ('pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
        AND pg_has_role(oid, 'MEMBER')
    UNION ALL
    SELECT 'may make roles, databases or schemas' FROM pg_roles
    WHERE rolname = current_user
        AND (rolcreaterole OR rolcreatedb OR has_database_privilege(current_database(), 'CREATE'))
    UNION ALL
    SELECT 'may make tables in the schema ' || nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND has_schema_privilege(oid, 'CREATE')
    UNION ALL
    SELECT 'may write to ' || oid::regclass FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'f') AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
        AND (has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_any_column_privilege(oid, 'INSERT, UPDATE'))
    LIMIT 3
"""


def rights_to_write(connection: sa.Connection, dialect: str) -> list[str]:
    """What the session's role may do beyond reading, in words; DuckDB has no roles and its file is opened for reading."""
    if dialect == "postgres":
        return list(connection.exec_driver_sql(_POSTGRES).scalars())
    return _beyond_reading(connection.exec_driver_sql("SHOW GRANTS").scalars()) if dialect == "mysql" else []


def _beyond_reading(grants: Iterable[str]) -> list[str]:
    """Of MySQL's `GRANT SELECT, INSERT (a, b) ON shop.* TO ...`, what is no reading.

    What a role brings that is granted to the user (`GRANT reader TO ...`) MySQL does not say here; MariaDB does.
    """
    found = []
    for grant in grants:
        rights = re.match(r"GRANT (.+?) ON (\S+) TO ", grant)
        if rights is None:
            log.warning("real databases: cannot tell what %r permits; see that it is no more than reading", grant)
            continue
        names = {name.strip() for name in re.sub(r"\([^)]*\)", "", rights[1]).split(",")}
        found += [f"has {name} on {rights[2]}" for name in sorted(names - READING)]
    return found
