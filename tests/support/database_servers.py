"""Real PostgreSQL and MariaDB servers, each in a folder of its own, from Debian's packages `postgresql` and `mariadb-server`.

Where a package is missing the tests are skipped; in continuous integration (CI=true) they fail.
"""

import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

PASSWORD = "secret"
SECONDS_TO_START = 60


@contextmanager
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server; the URL is its superuser's."""
    initdb = _program("initdb", "/usr/lib/postgresql/*/bin/initdb")
    pg_ctl = _program("pg_ctl", "/usr/lib/postgresql/*/bin/pg_ctl")
    with _folder("postgres") as (folder, user):
        data, port, password = folder / "data", _free_port(), folder / "password"
        password.write_text(PASSWORD)
        login = ["-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
        _run([initdb, "-D", str(data), *login], user)
        settings = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        _run([pg_ctl, "-D", str(data), "-l", str(folder / "log"), "-o", settings, "-w", "start"], user)
        try:
            yield sa.URL.create("postgresql+psycopg", "postgres", PASSWORD, "127.0.0.1", port, "postgres")
        finally:
            _run([pg_ctl, "-D", str(data), "-m", "immediate", "-w", "stop"], user)


@contextmanager
def mariadb() -> Iterator[sa.URL]:
    """A MariaDB server; the URL is its root's."""
    install = _program("mariadb-install-db")
    server = _program("mariadbd", "/usr/sbin/mariadbd")
    with _folder("mysql") as (folder, user):
        data, port, first = folder / "data", _free_port(), folder / "first.sql"
        first.write_text(f"ALTER USER root@localhost IDENTIFIED BY '{PASSWORD}';\n")
        options = ["--no-defaults", f"--datadir={data}"]
        _run([install, *options, "--auth-root-authentication-method=normal", "--skip-test-db"], user)
        sockets = [
            f"--socket={folder}/socket",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--pid-file={folder}/pid",
        ]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [server, *options, *sockets, f"--init-file={first}"], user=user, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            url = sa.URL.create("mysql+pymysql", "root", PASSWORD, "127.0.0.1", port, "mysql")
            _await(url, folder / "log")
            yield url
        finally:
            process.terminate()
            process.wait()


def execute(url: sa.URL, *statements: str) -> None:
    """Run statements, each committed by itself."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _program(name: str, elsewhere: str = "") -> str:
    found = shutil.which(name) or next(iter(sorted(glob.glob(elsewhere), reverse=True)), None)
    if found is None:
        missing = f"{name} is not installed (apt-get install postgresql mariadb-server)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return found


@contextmanager
def _folder(account: str) -> Iterator[tuple[Path, str | None]]:
    """A folder, and whom it belongs to: the servers refuse to run as root."""
    user = account if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix=f"{account}-") as name:
        if user:
            shutil.chown(name, user)
        yield Path(name), user


def _run(command: list[str], user: str | None) -> None:
    done = subprocess.run(
        command, user=user, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: sa.URL, log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            return execute(url, "SELECT 1")
        except sa.exc.OperationalError:
            assert time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.2)
