"""Private servers: started when a pair needs one, shared by the workers, gone with their owner however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finetune_flows.tasks.sql import SqlPair, judge
from finetune_flows.tasks.sql.workers import SqlWorkers

CONTEXT = "CREATE TABLE people (name VARCHAR(40), age INTEGER)"
GOLD = "SELECT name FROM people WHERE age > 30"
PROGRAMS = {"postgres": "postgres", "mysql": "mariadbd"}

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc")


def servers(folder: Path) -> list[int]:
    """Server processes whose folder is in this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in command and any(program in command for program in PROGRAMS.values()):
            found.append(int(entry.name))
    return found


def eventually(condition: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where servers put their folders: short, for the path of a socket, and open to the user that they run as."""
    with tempfile.TemporaryDirectory(prefix="sql-", dir="/tmp") as path:
        Path(path).chmod(0o777)
        monkeypatch.setattr("finetune_flows.tasks.sql.engines.private_server.MEMORY_FOLDER", Path(path))
        yield Path(path)


@pytest.mark.parametrize("dialect", PROGRAMS)
def test_a_server_starts_with_the_first_pair_and_ends_with_the_pool(folder: Path, dialect: str) -> None:
    with SqlWorkers(2) as pool:
        assert pool.judge(SqlPair(CONTEXT, GOLD, GOLD, "sqlite", 1)).execution
        assert servers(folder) == []
        outcomes = list(pool.judge_all([SqlPair(CONTEXT, GOLD, GOLD, dialect, 1)] * 6))
        assert [(outcome.execution, outcome.translated) for outcome in outcomes] == [(True, None)] * 6
        assert servers(folder)
        assert len(list(folder.glob("finetune-sql-*"))) == 1
    assert eventually(lambda: servers(folder) == [])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("dialect", PROGRAMS)
def test_a_server_ends_when_its_owner_is_killed(folder: Path, dialect: str) -> None:
    code = f"""
import pathlib, time
from finetune_flows.tasks.sql.engines import private_server
private_server.MEMORY_FOLDER = pathlib.Path({str(folder)!r})
from finetune_flows.tasks.sql.workers import SqlPair, SqlWorkers
with SqlWorkers(1) as pool:
    print(pool.judge(SqlPair({CONTEXT!r}, {GOLD!r}, {GOLD!r}, {dialect!r}, 1)).translated, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"None\n"
        assert servers(folder)
        os.kill(owner.pid, signal.SIGKILL)
    assert eventually(lambda: servers(folder) == [] and list(folder.iterdir()) == [])


def test_one_call_judges_pairs_of_all_dialects() -> None:
    other = "SELECT name FROM people WHERE age >= 30"
    dialects = ("sqlite", "duckdb", "postgres", "mysql")
    pairs = [SqlPair(CONTEXT, GOLD, query, dialect, 5) for dialect in dialects for query in (GOLD, other)]
    outcomes = list(judge(pairs, workers=1))
    assert [outcome.execution for outcome in outcomes] == [True, False] * 4
    assert [(outcome.engine or "").split()[0] for outcome in outcomes[::2]] == [
        "SQLite",
        "DuckDB",
        "PostgreSQL",
        "MariaDB",
    ]


def test_without_the_programs_the_outcome_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_flows.tasks.sql.engines.private_server.reachable", lambda _: False)
    monkeypatch.setattr("finetune_flows.tasks.sql.engines.postgres_server.reachable", lambda _: False)
    monkeypatch.setattr("finetune_flows.tasks.sql.engines.mysql_server.reachable", lambda _: False)
    with SqlWorkers(1) as pool:
        for dialect, word in (("postgres", "pip install"), ("mysql", "mariadb-server")):
            outcome = pool.judge(SqlPair(CONTEXT, GOLD, GOLD, dialect, 1))
            assert outcome.execution is True
            assert word in (outcome.translated or "")
