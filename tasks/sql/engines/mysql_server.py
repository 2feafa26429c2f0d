"""A MariaDB server of our own, where the machine has MariaDB; it stands for the dialect mysql.

Each worker has a database of its own and two accounts for it: one that makes and fills the tables, and one for the queries
to be judged, which may read them and nothing else.
"""

import os
import shutil
from pathlib import Path

import pymysql

from finetune_flows.tasks.sql.engines.contract import EngineMissing, Limits
from finetune_flows.tasks.sql.engines.private_server import PrivateFolder, reachable, version_of

SETTINGS = {
    "skip-networking": "1", "skip-innodb": "1", "default-storage-engine": "MyISAM", "enforce-storage-engine": "MyISAM",
    "character-set-server": "utf8mb4", "collation-server": "utf8mb4_general_ci", "performance-schema": "0",
    "key-buffer-size": "1M", "aria-pagecache-buffer-size": "1M", "local-infile": "0",
    "max-session-mem-used": "64M", "tmp-disk-table-size": "64M", "max-allowed-packet": "16M", "default-time-zone": "+00:00",
    "query-cache-type": "0", "log-warnings": "0", "sync-frm": "0",
}  # fmt: skip


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
        """The socket and the name of the room, which is its reader's too."""
        if number not in self._rooms:
            room = f"room{number}"
            self._execute(
                f"CREATE USER {room}@localhost, {room}_filler@localhost",
                f"GRANT SELECT ON {room}.* TO {room}@localhost",
                f"GRANT ALL ON {room}.* TO {room}_filler@localhost",
            )
            self._rooms[number] = f"{self._socket} {room}"
        return self._rooms[number]

    def _execute(self, *statements: str) -> None:
        with pymysql.connect(unix_socket=str(self._socket), user="root", ssl_disabled=True).cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            cursor.connection.close()

    def stop(self) -> None:
        """End it; its folder goes too."""
        self._folder.remove()


def installed() -> str | None:
    """The version of the server that would be started."""
    server = _program("mariadbd")
    return version_of(server) if server and _program("mariadb-install-db") else None


def _program(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found and reachable(Path(found)) else None
