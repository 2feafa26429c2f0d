"""A MariaDB server of our own, where the machine has MariaDB; it stands for the dialect mysql. The one that FINETUNE_MYSQL names
(MySQL or MariaDB) comes before it.

Each worker has a database of its own and two accounts for it: one that makes and fills the tables, and one for the queries
to be judged, which may read them and nothing else.
"""

import os
import secrets
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.sql.engines.contract import EngineMissing, Limits
from finetune_flows.tasks.sql.engines.private_server import PrivateFolder, Server, reachable, version_of

SETTINGS = {
    "skip-networking": "1", "skip-innodb": "1", "default-storage-engine": "MyISAM", "enforce-storage-engine": "MyISAM",
    "character-set-server": "utf8mb4", "collation-server": "utf8mb4_general_ci", "performance-schema": "0",
    "key-buffer-size": "1M", "aria-pagecache-buffer-size": "1M", "local-infile": "0",
    "max-session-mem-used": "64M", "tmp-disk-table-size": "64M", "max-allowed-packet": "16M", "default-time-zone": "+00:00",
    "query-cache-type": "0", "log-warnings": "0", "sync-frm": "0",
}  # fmt: skip
VARIABLE = "FINETUNE_MYSQL"
_CONNECT_SECONDS = 10


class Room(Frozen):
    """A worker's database, and how to reach it. Its reader has the database's name, its filler the same with "filler"."""

    name: str
    socket: str = ""
    host: str = ""
    port: int = 3306
    password: str = ""

    def connect(self, account: str, **options: Any) -> "pymysql.Connection[Any]":
        """A connection of one of both accounts. Raises pymysql.Error."""
        place = (
            {"unix_socket": self.socket, "ssl_disabled": True}
            if self.socket
            else {"host": self.host, "port": self.port, "password": self.password}
        )
        return pymysql.connect(user=account, connect_timeout=_CONNECT_SECONDS, **place, **options)


class NamedMysqlServer:
    """The server at a URL, `mysql://account:password@host:port`. The account may create and drop databases and accounts.

    All that is made there begins with "finetunejudge" and goes at the end. What a process left that was killed goes when the
    next one starts: each holds a lock on the server for as long as it lives.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            self._host, self._port = parts.hostname or "localhost", parts.port or 3306
        except ValueError:
            raise EngineMissing(f"{VARIABLE} is no address such as mysql://account:password@host:3306") from None
        self._rooms: dict[int, str] = {}
        self._owner = f"finetunejudge{secrets.token_hex(4)}"
        try:
            self._connection = pymysql.connect(
                host=self._host,
                port=self._port,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                connect_timeout=_CONNECT_SECONDS,
                autocommit=True,
            )
            self._execute(f"SELECT GET_LOCK('{self._owner}', 0)")
            self._clean_up()
        except (pymysql.Error, RuntimeError) as problem:  # RuntimeError: a package for the way of signing in is missing
            raise EngineMissing(
                f"the server at {self._host}:{self._port} ({VARIABLE}) does not serve: {problem.args[-1]}"
            ) from None

    def room(self, number: int) -> str:
        """The room, as text."""
        if number not in self._rooms:
            name, password = f"{self._owner}r{number}", secrets.token_urlsafe(24)
            for account, right in ((name, "SELECT"), (f"{name}filler", "ALL")):
                self._execute(f"CREATE USER {account}@'%' IDENTIFIED BY '{password}'")
                self._execute(f"GRANT {right} ON {name}.* TO {account}@'%'")
            room = Room(name=name, host=self._host, port=self._port, password=password)
            self._rooms[number] = room.model_dump_json()
        return self._rooms[number]

    def stop(self) -> None:
        """Drops what was made."""
        self._execute(f"SELECT RELEASE_LOCK('{self._owner}')")
        self._clean_up()
        self._connection.close()

    def _clean_up(self) -> None:
        """Drops the databases and accounts of all whose lock is free."""
        named = "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'finetunejudge%'"
        users = "SELECT user FROM mysql.user WHERE user LIKE 'finetunejudge%'"
        databases, accounts = ([str(row[0]) for row in self._execute(query)] for query in (named, users))
        owners = {name[: len(self._owner)] for name in (*databases, *accounts)}
        ended = {owner for owner in owners if self._execute(f"SELECT IS_FREE_LOCK('{owner}')")[0][0] == 1}
        for name in databases:
            if name[: len(self._owner)] in ended:
                self._execute(f"DROP DATABASE IF EXISTS {name}")
        for name in accounts:
            if name[: len(self._owner)] in ended:
                self._execute(f"DROP USER IF EXISTS {name}@'%'")

    def _execute(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        self._connection.ping(reconnect=False)
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())


class MysqlServer:
    """It runs from now until `stop`, or until this process ends."""

    def __init__(self) -> None:
        installer, server = (_program(name) for name in ("mariadb-install-db", "mariadbd"))
        if installer is None or server is None:
            raise EngineMissing("MariaDB is not installed: apt install mariadb-server, or brew install mariadb")
        self._folder = PrivateFolder()
        self._socket, data = self._folder.path / "socket", self._folder.path / "data"
        self._rooms: dict[int, str] = {}
        self._folder.run(
            [installer, "--no-defaults", f"--datadir={data}", "--skip-test-db", "--skip-name-resolve", "--skip-innodb",
             "--default-storage-engine=Aria", "--auth-root-authentication-method=normal"]
        )  # fmt: skip
        settings = {**SETTINGS, "max-statement-time": str(Limits().server_seconds)}
        options = [f"--{setting}={value}" for setting, value in settings.items()]
        places = [f"--datadir={data}", f"--socket={self._socket}", f"--pid-file={self._folder.path}/pid"]
        self._folder.start([server, "--no-defaults", *places, *options], "KILL")
        self._folder.wait_for(lambda: self._execute("SELECT 1"), pymysql.OperationalError)

    def room(self, number: int) -> str:
        """The room, as text."""
        if number not in self._rooms:
            room = f"room{number}"
            self._execute(
                f"CREATE USER {room}@localhost, {room}filler@localhost",
                f"GRANT SELECT ON {room}.* TO {room}@localhost",
                f"GRANT ALL ON {room}.* TO {room}filler@localhost",
            )
            self._rooms[number] = Room(name=room, socket=str(self._socket)).model_dump_json()
        return self._rooms[number]

    def _execute(self, *statements: str) -> None:
        with pymysql.connect(unix_socket=str(self._socket), user="root", ssl_disabled=True).cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            cursor.connection.close()

    def stop(self) -> None:
        """End it; its folder goes too."""
        self._folder.remove()


def start() -> Server:
    """The server that FINETUNE_MYSQL names; without it, one of our own. Raises EngineMissing."""
    url = os.environ.get(VARIABLE)
    return NamedMysqlServer(url) if url else MysqlServer()


def installed() -> str | None:
    """The version of the server that would be started, or where the named one is."""
    if url := os.environ.get(VARIABLE):
        return f"MySQL or MariaDB at {urlsplit(url).hostname} ({VARIABLE})"
    server = _program("mariadbd")
    return version_of(server) if server and _program("mariadb-install-db") else None


def _program(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found and reachable(Path(found)) else None
