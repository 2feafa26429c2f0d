"""A MySQL server that the user names: judged there, with nothing left of us, and no query that does more than read."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from finetune_flows.tasks.platforms.local.aliases import free_port
from finetune_flows.tasks.sql import SqlPair, judge
from finetune_flows.tasks.sql.engines.mysql_server import VARIABLE, installed
from finetune_flows.tasks.sql.engines.private_server import PrivateFolder

CONTEXT = "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, city VARCHAR(40), age INT)"
GOLD = "SELECT name FROM people WHERE age >= 30"
RIGHTS = (
    "GRANT ALL ON `finetunejudge%`.* TO judge@'%' WITH GRANT OPTION",
    "GRANT CREATE USER ON *.* TO judge@'%'",
    "GRANT SELECT ON mysql.user TO judge@'%'",
)


class Running:
    """A MariaDB that listens on a port; the account `judge` has no more rights than the page on evaluation names."""

    def __init__(self) -> None:
        self.folder, self.port = PrivateFolder(), free_port()
        data, self.socket = self.folder.path / "data", str(self.folder.path / "socket")
        self.folder.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", "--skip-name-resolve",
             "--auth-root-authentication-method=normal"]
        )  # fmt: skip
        places = [f"--datadir={data}", f"--socket={self.socket}", f"--pid-file={self.folder.path}/pid"]
        address = ["--bind-address=127.0.0.1", f"--port={self.port}"]
        self.folder.start(["mariadbd", "--no-defaults", *places, *address], "KILL")
        self.folder.wait_for(lambda: self.ask("SELECT 1") and None, pymysql.OperationalError)
        self.ask("CREATE USER judge@'%' IDENTIFIED BY 'se cret@/'")
        for right in RIGHTS:
            self.ask(right)
        self.ask("CREATE DATABASE company")
        self.ask("CREATE TABLE company.salaries (amount INT)")
        self.ask("INSERT INTO company.salaries VALUES (1)")
        self.url = f"mysql://judge:se%20cret%40%2F@127.0.0.1:{self.port}"

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        connection = pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def left(self) -> list[str]:
        """Databases and accounts of ours."""
        databases = self.ask("SHOW DATABASES LIKE 'finetunejudge%'")
        return [
            str(row[0]) for row in (*databases, *self.ask("SELECT user FROM mysql.user WHERE user LIKE 'finetune%'"))
        ]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    server = Running()
    yield server
    server.folder.remove()


@pytest.fixture
def named(running: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setenv(VARIABLE, running.url)
    return running


def test_pairs_are_judged_there_and_nothing_is_left(named: Running) -> None:
    predictions = [GOLD, "SELECT name FROM people WHERE age > 30", "SELECT name FROM people WHERE NOT age < 30"]
    outcomes = list(judge([SqlPair(CONTEXT, GOLD, prediction, "mysql", 5) for prediction in predictions]))
    assert [outcome.execution for outcome in outcomes] == [True, False, True]
    assert all((outcome.engine or "").startswith("MariaDB") and outcome.translated is None for outcome in outcomes)
    assert named.left() == []
    assert installed() == f"MySQL or MariaDB at 127.0.0.1 ({VARIABLE})"


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT amount FROM company.salaries",
        "SELECT user FROM mysql.user",
        "DELETE FROM people",
        "SELECT name INTO OUTFILE '/dev/null' FROM people",
        "SELECT SLEEP(30)",
    ],
)
def test_a_query_reads_its_own_tables_and_nothing_else(named: Running, attack: str) -> None:
    start = time.monotonic()
    [outcome] = judge([SqlPair(CONTEXT, GOLD, attack, "mysql", 1)])
    assert (outcome.valid, outcome.execution) == (False, False), outcome
    assert time.monotonic() - start < 20
    assert named.ask("SELECT amount FROM company.salaries") == [(1,)]


def test_what_a_killed_process_left_goes_when_the_next_starts(named: Running) -> None:
    code = f"""
import time
from finetune_flows.tasks.sql.workers import SqlPair, SqlWorkers
with SqlWorkers(1) as pool:
    print(pool.judge(SqlPair({CONTEXT!r}, {GOLD!r}, {GOLD!r}, "mysql", 1)).execution, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        try:
            assert owner.stdout
            assert owner.stdout.readline() == b"True\n"
            mine = named.left()
            assert mine
            [outcome] = judge([SqlPair(CONTEXT, GOLD, GOLD, "mysql", 1)])
            assert outcome.execution
            assert named.left() == mine, "whoever lives keeps what is theirs"
        finally:
            owner.kill()
    [outcome] = judge([SqlPair(CONTEXT, GOLD, GOLD, "mysql", 1)])
    assert outcome.execution
    assert named.left() == []


@pytest.mark.parametrize(
    "url", ["mysql://judge:wrong@127.0.0.1:{port}", "mysql://judge@127.0.0.1:9", "mysql://a:b@h:x"]
)
def test_a_server_that_does_not_serve_is_said_without_the_password(
    running: Running, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, url.format(port=running.port))
    [outcome] = judge([SqlPair(CONTEXT, GOLD, GOLD, "mysql", 1)])
    assert outcome.translated
    assert VARIABLE in outcome.translated
    assert "wrong" not in outcome.translated
