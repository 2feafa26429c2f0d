"""What a hostile query can do: nothing. Every attack of `sql_attacks.py` is run in a real worker process."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.sql.engines.contract import Limits
from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.workers import SqlWorkers
from tests.tasks.sql.sql_attacks import HARMLESS, KILLED, REFUSED, STOPPED

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads CPU times from /proc")

MEMORY_BYTES = 2**29  # of a worker that has judged nothing but SQLite
CONTEXT = "CREATE TABLE people (name TEXT, age INTEGER)"
GOLD = "SELECT name FROM people WHERE age > 30"
WRONG = (False, False, False, None)


@pytest.fixture(scope="module")
def workers() -> Iterator[SqlWorkers]:
    with SqlWorkers(1) as pool:
        judge(pool, GOLD)  # started, so that the times below are the attacks' own
        yield pool


def judge(workers: SqlWorkers, prediction: str, dialect: str = "sqlite") -> SqlOutcome:
    context = CONTEXT if dialect == "sqlite" else CONTEXT.replace("TEXT", "VARCHAR")  # MariaDB refuses it: translated
    return workers.judge(SqlPair(context, GOLD, prediction, dialect, 5))


def cpu_seconds_of_children() -> float:
    """CPU time of this process's workers, those that have ended and those that run."""
    ended = os.times()
    return ended.children_user + ended.children_system + sum(_cpu_seconds(pid) for pid in _children())


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")} | set(os.listdir())


def open_files(pid: int) -> list[str]:
    """What a process has open besides its output, sockets and the like."""
    targets = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir() if int(entry.name) > 2]
    return [target for target in targets if target.startswith("/") and not target.startswith("/dev/")]


def status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def test_the_corpus_is_large_enough() -> None:
    assert len(REFUSED) + len(STOPPED) + len(KILLED) >= 100


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_an_attack_is_refused_at_once_and_leaves_no_trace(workers: SqlWorkers, dialect: str, tmp_path: Path) -> None:
    """All by one process, which the next one finds as it was: with nothing open and nothing written."""
    before = files(tmp_path)
    judge(workers, GOLD, dialect)
    [worker] = _children()
    for name, (attack, word) in REFUSED.items():
        seconds = cpu_seconds_of_children()
        outcome = judge(
            workers, attack.replace("{file}", f"{tmp_path}/loot").replace("{folder}", str(tmp_path)), dialect
        )
        assert cpu_seconds_of_children() - seconds < SqlPair.cpu_seconds, name
        if dialect == "mysql" and outcome.obstacle == "no_engine":
            continue  # it did not run in SQLite, and may be good in MySQL
        assert (outcome.valid, outcome.execution, outcome.caseless, outcome.obstacle) == WRONG, name
        assert outcome.error, name
        assert dialect == "mysql" or word in outcome.error, name  # sqlglot may have spelt it otherwise
    assert files(tmp_path) == before
    assert judge(workers, GOLD, dialect).execution is True
    if dialect == "sqlite":
        assert _children() == [worker], "none of them was a case for the kernel"
        assert open_files(worker) == []
        assert "\nwrite_bytes: 0\n" in Path(f"/proc/{worker}/io").read_text()


@pytest.mark.parametrize("name", STOPPED)
def test_an_exhausting_query_meets_a_limit_of_the_database(workers: SqlWorkers, name: str) -> None:
    judge(workers, GOLD)
    [worker] = _children()
    before = cpu_seconds_of_children()
    outcome = judge(workers, STOPPED[name])
    assert cpu_seconds_of_children() - before < Limits().seconds + 1
    assert (outcome.valid, outcome.execution, outcome.caseless, outcome.obstacle) == WRONG
    assert any(
        word in (outcome.error or "") for word in ("stopped after", "needs more than", "returns more", "too big")
    )
    assert _children() == [worker]
    assert status(worker, "VmHWM") * 1024 < MEMORY_BYTES
    assert judge(workers, GOLD).execution is True


@pytest.mark.parametrize("name", KILLED)
def test_a_query_that_escapes_the_deadline_is_killed_and_the_next_pair_is_judged(
    workers: SqlWorkers, name: str
) -> None:
    before = cpu_seconds_of_children()
    outcome = judge(workers, KILLED[name])
    assert 0.9 * SqlPair.cpu_seconds <= cpu_seconds_of_children() - before < SqlPair.cpu_seconds + 4
    assert (outcome.valid, outcome.execution, outcome.caseless, outcome.obstacle) == WRONG
    assert "killed" in (outcome.error or "")
    assert judge(workers, GOLD).execution is True


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_query_runs(workers: SqlWorkers, name: str) -> None:
    outcome = judge(workers, HARMLESS[name])
    assert (outcome.valid, outcome.error) == (True, None)


def test_neighbours_of_hostile_queries_get_their_verdicts_in_time() -> None:
    """Two workers, one of which is always busy with an attack."""
    attacks = [*[*STOPPED.values()][::4], KILLED["trim"]]
    waits = []
    with SqlWorkers(2) as pool, ThreadPoolExecutor(1) as thread:
        assert all(outcome.execution for outcome in pool.judge_all([SqlPair(CONTEXT, GOLD, GOLD, "sqlite", 5)] * 4))
        hostile = thread.submit(lambda: [judge(pool, attack).execution for attack in attacks])
        while not hostile.done():
            start = time.perf_counter()
            right, wrong = judge(pool, "SELECT name FROM people WHERE 30 < age"), judge(pool, "SELECT name FROM people")
            waits.append((time.perf_counter() - start) / 2)
            assert (right.execution, wrong.execution) == (True, False)
        assert hostile.result() == [False] * len(attacks)
    assert len(waits) > len(attacks)
    assert max(waits) < SqlPair.cpu_seconds


def test_pairs_behind_hostile_ones_get_the_same_verdicts_as_alone() -> None:
    honest = [SqlPair(CONTEXT, GOLD, f"SELECT name FROM people WHERE age > {n}", "sqlite", 5) for n in range(28, 33)]
    hostile = [SqlPair(CONTEXT, GOLD, attack, "sqlite", 5) for attack in [*STOPPED.values()][:5]]
    mixed = [pair for both in zip(honest, hostile, strict=True) for pair in both]
    with SqlWorkers(2) as pool:
        alone = list(pool.judge_all(honest))
        assert list(pool.judge_all(mixed))[::2] == alone
    assert [outcome.execution for outcome in alone] == [False, False, True, False, False]


def test_a_worker_whose_parent_is_killed_ends_when_its_query_has_met_its_limit() -> None:
    code = f"""
from finetune_flows.tasks.sql.workers import SqlPair, SqlWorkers
with SqlWorkers(1) as pool:
    pool.judge(SqlPair({CONTEXT!r}, {GOLD!r}, {GOLD!r}, "sqlite", 1))
    print("up", flush=True)
    pool.judge(SqlPair({CONTEXT!r}, {GOLD!r}, {KILLED["printf"]!r}, "sqlite", 1))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"up\n"
        [worker] = _children(parent.pid)
        time.sleep(0.5)
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + SqlPair.wall_clock_seconds
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_worker_has_little_of_everything(workers: SqlWorkers) -> None:
    judge(workers, GOLD)
    [worker] = _children()
    limits = Path(f"/proc/{worker}/limits").read_text().splitlines()
    found = {line[:26].strip(): line[26:].split()[0] for line in limits}
    assert found["Max file size"] == "0"
    assert found["Max core file size"] == "0"
    assert found["Max address space"] == str(MEMORY_BYTES)
    assert found["Max open files"] == "64"
    assert status(worker, "Threads") == 1


def test_a_gold_that_kills_its_worker_is_not_judged_by(workers: SqlWorkers) -> None:
    outcome = workers.judge(SqlPair(CONTEXT, KILLED["trim"], GOLD, "sqlite", 1))
    assert (outcome.execution, outcome.obstacle) == (None, "killed")


def test_the_same_bomb_would_run_for_long_without_the_sandbox() -> None:
    """So the tests above prove something: plain SQLite is at the mercy of the query."""
    plain = sqlite3.connect(":memory:")
    end = time.perf_counter() + 1
    plain.set_progress_handler(lambda: time.perf_counter() > end, 1000)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        plain.execute(STOPPED["endless recursion"])
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


def _children(of: int | None = None) -> list[int]:
    """Worker processes of this test process, or of another."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == (of or os.getpid()) and b"sql.worker" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
