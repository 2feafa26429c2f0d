"""What a hostile query can do: nothing. Every attack is run in a real worker, next to files it would like to write."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import EnvironmentProblem
from tasks.evaluation.sql import worker
from tasks.evaluation.sql.judging import SqlOutcome, SqlPair
from tasks.evaluation.sql.workers import SqlWorkers

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads CPU times from /proc")

CONTEXT = "CREATE TABLE people (name TEXT, age INTEGER)"
GOLD = "SELECT name FROM people WHERE age > 30"

REFUSED = [
    "DELETE FROM people",
    "INSERT INTO people VALUES ('x', 1)",
    "UPDATE people SET age = 99",
    "DROP TABLE people",
    "CREATE TABLE loot (a)",
    "CREATE TEMP TABLE loot AS SELECT * FROM people",
    "CREATE VIEW loot AS SELECT 1",
    "CREATE TRIGGER loot AFTER INSERT ON people BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE loot USING fts5(a)",
    "WITH q AS (SELECT 1) DELETE FROM people",
    "ATTACH '{file}' AS loot",
    "VACUUM INTO '{file}'",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA hard_heap_limit = 0",
    "PRAGMA temp_store_directory = '{folder}'",
    "SELECT load_extension('{file}')",
    "SELECT writefile('{file}', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x', 'touch {file}')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT hex(randomblob(900000000))",
    "SELECT zeroblob(900000000)",
    "SELECT random() FROM people",
    "BEGIN",
    "SAVEPOINT loot",
    "SELECT name FROM people; DROP TABLE people",
    "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "SELECT " + "+".join("1" * 30_000),
    "SELECT '" + "x" * 200_000 + "'",
    " UNION ALL ".join(["SELECT 1"] * 400),
    "SELECT name FROM people WHERE name LIKE '" + "%a" * 20_000 + "'",
]
EXHAUSTING = [
    "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q) SELECT COUNT(*) FROM q",
    "WITH RECURSIVE q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q) SELECT n FROM q",
    "WITH RECURSIVE q(s) AS (SELECT 'ab' UNION ALL SELECT s || s FROM q) SELECT s FROM q",
    "WITH RECURSIVE q(n, s) AS (SELECT 1, '' UNION SELECT n + 1, printf('%.90000c', 'x') || n FROM q) SELECT MAX(s) FROM q",
    "SELECT COUNT(*) FROM " + ", ".join(f"people AS p{i}" for i in range(12)),
    "SELECT * FROM " + ", ".join(f"people AS p{i}" for i in range(8)) + " ORDER BY p0.name, p7.age",
    "SELECT group_concat(p1.name) FROM " + ", ".join(f"people AS p{i}" for i in range(9)),
    "SELECT printf('%.*c', 900000000, 'x')",
    "SELECT replace(printf('%.99999c', 'a'), 'a', printf('%.99999c', 'b'))",
    "SELECT SUM(instr(printf('%.99000c', 'a'), printf('%.49000c', 'a') || p0.name)) FROM people AS p0, people AS p1",
]
# Few steps of SQLite's machine, each of a second: its progress handler is not called before the query ends.
ESCAPES_THE_DEADLINE = "SELECT trim(printf('%.99000c', 'a'), printf('%.8000c', 'b') || 'a' || name) FROM people"


@pytest.fixture(scope="module")
def workers() -> Iterator[SqlWorkers]:
    with SqlWorkers(1) as pool:
        judge(pool, GOLD)  # started, so that the times below are the attacks' own
        yield pool


def judge(workers: SqlWorkers, prediction: str, dialect: str = "sqlite") -> SqlOutcome:
    return workers.judge(SqlPair(CONTEXT, GOLD, prediction, dialect, 5))


def cpu_seconds_of_children() -> float:
    """CPU time of this process's workers, those that have ended and those that run."""
    ended = os.times()
    return ended.children_user + ended.children_system + sum(_cpu_seconds(pid) for pid in _children())


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")} | set(os.listdir())


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
@pytest.mark.parametrize("attack", REFUSED, ids=lambda attack: attack[:40])
def test_an_attack_is_refused_at_once_and_leaves_no_file(
    workers: SqlWorkers, attack: str, dialect: str, tmp_path: Path
) -> None:
    before = files(tmp_path)
    seconds = cpu_seconds_of_children()
    outcome = judge(workers, attack.format(file=tmp_path / "loot.db", folder=tmp_path), dialect)
    assert cpu_seconds_of_children() - seconds < 1
    assert (outcome.valid, outcome.execution, outcome.caseless, outcome.obstacle) == (False, False, False, None)
    assert outcome.error
    assert files(tmp_path) == before


@pytest.mark.parametrize("attack", EXHAUSTING, ids=lambda attack: attack[:60])
def test_an_exhausting_query_is_stopped(workers: SqlWorkers, attack: str) -> None:
    before = cpu_seconds_of_children()
    outcome = judge(workers, attack)
    assert cpu_seconds_of_children() - before < worker.CPU_SECONDS + 4
    assert (outcome.valid, outcome.execution, outcome.obstacle) == (False, False, None)


def test_a_query_that_escapes_the_deadline_is_killed_and_the_next_pair_is_judged(workers: SqlWorkers) -> None:
    before = cpu_seconds_of_children()
    outcome = judge(workers, ESCAPES_THE_DEADLINE)
    assert worker.CPU_SECONDS <= cpu_seconds_of_children() - before < worker.CPU_SECONDS + 4
    assert (outcome.valid, outcome.execution, outcome.obstacle) == (False, False, None)
    assert outcome.error
    assert "killed" in outcome.error
    assert judge(workers, GOLD).execution is True


def test_a_gold_that_kills_its_worker_is_not_judged_by(workers: SqlWorkers) -> None:
    outcome = workers.judge(SqlPair(CONTEXT, ESCAPES_THE_DEADLINE, GOLD, "sqlite", 1))
    assert (outcome.execution, outcome.obstacle) == (None, "killed")


def test_the_same_bomb_would_run_for_long_without_the_sandbox() -> None:
    """So the tests above prove something: plain SQLite is at the mercy of the query."""
    plain = sqlite3.connect(":memory:")
    end = time.perf_counter() + 1
    plain.set_progress_handler(lambda: time.perf_counter() > end, 1000)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        plain.execute(EXHAUSTING[0])
    plain.execute("PRAGMA query_only = ON")
    plain.execute("PRAGMA query_only = OFF")
    assert plain.execute("CREATE TABLE loot (a)")


def test_a_worker_that_is_killed_is_replaced_and_its_pair_is_judged_again() -> None:
    pairs = [SqlPair(CONTEXT, GOLD, GOLD, "sqlite", 3)] * 20
    with SqlWorkers(1) as pool:
        outcomes = pool.judge_all(pairs)
        assert next(outcomes).execution
        [before] = _children()
        os.kill(before, 9)
        assert [outcome.execution for outcome in outcomes] == [True] * 19
        assert _children() != [before]


def test_a_sandbox_that_does_not_start_is_not_taken_for_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with SqlWorkers(1) as pool, pytest.raises(EnvironmentProblem, match="does not start"):
        judge(pool, GOLD)


def test_no_worker_outlives_its_pool_and_none_knows_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with SqlWorkers(1) as pool:
        judge(pool, GOLD)
        [pid] = _children()
        assert b"hf_secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert not _children()


def _children() -> list[int]:
    """Worker processes of this test process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and b"sql.worker" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
