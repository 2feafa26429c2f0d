"""Real files to judge answers on: nothing is written beside them, and nothing else is reached."""

import sqlite3
import stat
from pathlib import Path

from finetune_flows.tasks.sql.real.judging import RealPair
from finetune_flows.tasks.sql.workers import SqlWorkers
from tests.tasks.sql.shop_databases import GOLD, database, duckdb_file, sqlite_file, workers

__all__ = ["duckdb_file", "sqlite_file", "workers"]


def test_a_file_is_read_where_nothing_can_be_written(workers: SqlWorkers, tmp_path: Path, sqlite_file: Path) -> None:
    """WAL files too, which SQLite would otherwise write beside the database."""
    path = tmp_path / "wal.sqlite"
    path.write_bytes(sqlite_file.read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM city WHERE id = 40")
    connection.close()
    content = path.read_bytes()
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    outcome = workers.judge(RealPair("SELECT COUNT(*) FROM city", "SELECT 39", "sqlite", database(str(path))))
    assert outcome.execution
    assert [entry.name for entry in tmp_path.iterdir()] == ["wal.sqlite"]
    assert path.read_bytes() == content


def test_a_file_that_is_being_written_is_read_as_it_was_last_committed(
    workers: SqlWorkers, tmp_path: Path, sqlite_file: Path
) -> None:
    path = tmp_path / "live.sqlite"
    path.write_bytes(sqlite_file.read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM city WHERE id > 30")
        connection.commit()
        outcome = workers.judge(RealPair("SELECT COUNT(*) FROM city", "SELECT 30", "sqlite", database(str(path))))
    connection.close()
    assert (outcome.execution, outcome.obstacle) == (True, None)


def test_text_that_is_no_utf8_is_compared(workers: SqlWorkers, sqlite_file: Path) -> None:
    shop = database(str(sqlite_file))
    same = workers.judge(RealPair("SELECT text FROM note WHERE id = 1", "SELECT MAX(text) FROM note", "sqlite", shop))
    other = workers.judge(RealPair("SELECT text FROM note WHERE id = 1", "SELECT MIN(text) FROM note", "sqlite", shop))
    assert (same.execution, other.execution) == (True, False)


def test_duckdb_reaches_nothing_but_its_file(workers: SqlWorkers, duckdb_file: Path) -> None:
    shop = database(f"duckdb:///{duckdb_file}")
    before = sorted(path.name for path in duckdb_file.parent.iterdir())
    for attack in [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "FROM sniff_csv('/etc/passwd')",
        f"COPY city TO '{duckdb_file.parent}/loot.csv'",
        f"EXPORT DATABASE '{duckdb_file.parent}/loot'",
        f"ATTACH '{duckdb_file.parent}/loot.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "PRAGMA enable_external_access",
        "SELECT repeat('x', 900000000)",
        "SELECT list(a || b || c) FROM range(2000) t(a), range(2000) u(b), range(100) v(c)",
    ]:
        outcome = workers.judge(RealPair(GOLD, attack, "duckdb", shop))
        assert (outcome.execution, outcome.obstacle) == (False, None), attack
    assert sorted(path.name for path in duckdb_file.parent.iterdir()) == before
