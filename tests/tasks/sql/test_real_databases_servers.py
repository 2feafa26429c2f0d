"""Real servers to judge answers on: what a hostile query cannot do there, and who is not let in."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.sql.real.judging import RealPair, check_databases
from finetune_flows.tasks.sql.workers import SqlWorkers
from tests.support.database_servers import PASSWORD, execute
from tests.tasks.sql.shop_databases import (
    GOLD,
    VARIABLE,
    database,
    mariadb_server,
    postgres_server,
    sqlite_file,
    workers,
)

__all__ = ["mariadb_server", "postgres_server", "sqlite_file", "workers"]


def test_no_query_lifts_the_limits_of_a_postgres_session(workers: SqlWorkers, postgres_server: sa.URL) -> None:
    shop = database(f"postgresql://reader@127.0.0.1:{postgres_server.port}/shop")

    def error(attack: str) -> str:
        outcome = workers.judge(RealPair(GOLD, attack, "postgres", shop))
        assert outcome.execution is False
        return outcome.error or ""

    start = time.monotonic()
    lift = "SELECT set_config('statement_timeout', '0', false)"
    assert "timeout" in error(f"{lift} UNION ALL SELECT CAST(pg_sleep(60) AS TEXT)")
    assert "timeout" in error("SELECT pg_sleep(60)")
    assert time.monotonic() - start < 20
    assert "read-write" in error("SELECT set_config('transaction_read_only', 'off', false)")
    assert "denied" in error("SELECT pg_read_file('/etc/passwd')")
    assert error("SELECT pg_terminate_backend(pg_backend_pid())")
    error("SELECT lo_create(4711)")
    error("SELECT pg_advisory_lock(4711)")
    engine = sa.create_engine(postgres_server, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_largeobject_metadata").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").scalar() == 0
        assert (
            connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'").scalar() == 0
        )


def test_a_session_that_somebody_else_ends_costs_no_verdict(workers: SqlWorkers, postgres_server: sa.URL) -> None:
    """PostgreSQL lets every session end the others of its role: one hostile prediction could end its neighbours'."""
    shop = database(f"postgresql://reader@127.0.0.1:{postgres_server.port}/shop")
    slow = "SELECT name, pg_sleep(0.05) IS NULL FROM city WHERE people > 180"
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(query, 'FETCH') AND state = 'active'"
    )
    engine = sa.create_engine(postgres_server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as thread, engine.connect() as admin:
        outcome = thread.submit(workers.judge, RealPair(slow, slow, "postgres", shop))
        while not admin.exec_driver_sql(end).all():
            assert not outcome.done()
        assert outcome.result().execution is True


def test_a_postgres_role_that_may_write_is_refused_with_the_next_step(
    postgres_server: sa.URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(
        postgres_server,
        *(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'" for name in ("writer", "owner", "columns", "member")),
        "GRANT SELECT, INSERT ON city TO writer",
        "GRANT CREATE ON SCHEMA public TO owner",
        "GRANT UPDATE (name) ON river TO columns",
        "GRANT pg_write_all_data TO member",
    )
    source = f"postgresql://{{}}@127.0.0.1:{postgres_server.port}/shop"
    names = ["writer", "owner", "columns", "member", "postgres"]
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with pytest.raises(EnvironmentProblem) as caught:
        check_databases(database(source.format(name)) for name in ["reader", *names])
    told = str(caught.value)
    for name, right in zip(
        names,
        ["may write to city", "may make tables", "may write to river", "pg_write_all_data", "superuser"],
        strict=True,
    ):
        [line] = [line for line in told.splitlines() if f"{name}@" in line]
        assert right in line
        assert "GRANT SELECT ON ALL TABLES" in line
    assert "reader@" not in told
    assert PASSWORD not in told


def test_a_mariadb_user_that_may_write_is_refused(mariadb_server: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(
        mariadb_server,
        *(f"CREATE USER {name} IDENTIFIED BY '{PASSWORD}'" for name in ("writer", "filer", "columns")),
        "GRANT SELECT, INSERT ON shop.* TO writer",
        "GRANT FILE ON *.* TO filer",
        "GRANT SELECT, UPDATE (name, length) ON shop.river TO columns",
        "GRANT SELECT ON shop.city TO filer",
    )
    source = f"mysql://{{}}@127.0.0.1:{mariadb_server.port}/shop"
    names = ["writer", "filer", "columns", "root"]
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with pytest.raises(EnvironmentProblem) as caught:
        check_databases(database(source.format(name)) for name in ["reader", *names])
    lines = str(caught.value).splitlines()
    for name, right in zip(names, ["INSERT", "FILE", "UPDATE", "ALL PRIVILEGES"], strict=True):
        assert any(f"{name}@" in line and right in line for line in lines)
    assert not any("reader@" in line for line in lines)


def test_every_database_that_is_not_there_is_named(
    sqlite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to be one: " * 100)
    sources = [
        str(sqlite_file),
        str(tmp_path / "none.sqlite"),
        str(tmp_path / "text.sqlite"),
        f"duckdb:///{tmp_path}/none.duckdb",
        "postgresql://127.0.0.1:1/shop",
        "postgresql://reader@127.0.0.1:1/other",
    ]
    with pytest.raises(EnvironmentProblem) as caught:
        check_databases(map(database, sources))
    told = str(caught.value)
    assert "5 unusable" in told
    assert all(source in told for source in sources[1:])
    assert f"{VARIABLE} is not set" in told
    assert not list(tmp_path.glob("none*"))
