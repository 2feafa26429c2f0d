"""Answers judged on real databases: SQLite and DuckDB files, PostgreSQL and MariaDB servers, all in worker processes."""

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from tasks.errors import EnvironmentProblem
from tasks.evaluation.sql.compare import Row
from tasks.evaluation.sql.judging import SqlOutcome
from tasks.evaluation.sql.query import parse_query, to_sqlite
from tasks.evaluation.sql.real_databases import (
    MEMORY_BYTES,
    RealDatabase,
    RealPair,
    check_databases,
    open_database,
)
from tasks.evaluation.sql.workers import SqlWorkers
from tests.support.database_servers import PASSWORD, execute, mariadb, postgres

SECONDS = 2.0
ROWS = 500
VARIABLE = "SHOP_PASSWORD"
TABLES = [
    "CREATE TABLE city (id INTEGER PRIMARY KEY, name VARCHAR(40), country VARCHAR(40), people INTEGER, founded DATE, area DECIMAL(8, 2))",
    "CREATE TABLE river (id INTEGER PRIMARY KEY, city_id INTEGER REFERENCES city (id), name VARCHAR(40), length DOUBLE PRECISION)",
]
COUNTRIES = ["Peru", "Chile", "Bolivia"]
CITIES = [
    (n, f"City {n}", COUNTRIES[n % 3], 10 * (n // 2), f"{1500 + n}-03-01", None if n == 7 else f"{n}.25")
    for n in range(1, 41)
]
RIVERS = [(n, 1 + n % 20, f"River {n}", n / 4) for n in range(1, 31)]


def filling() -> list[str]:
    rows = [("city", CITIES), ("river", RIVERS)]
    return TABLES + [
        f"INSERT INTO {table} VALUES " + ", ".join(str(row).replace("None", "NULL") for row in content)
        for table, content in rows
    ]


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[sa.URL]:
    with postgres() as admin:
        execute(admin, "CREATE DATABASE shop", f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        execute(admin.set(database="shop"), *filling(), "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        yield admin.set(database="shop")


@pytest.fixture(scope="module")
def mariadb_server() -> Iterator[sa.URL]:
    with mariadb() as admin:
        execute(admin, "CREATE DATABASE shop", f"CREATE USER reader IDENTIFIED BY '{PASSWORD}'")
        execute(admin.set(database="shop"), *filling(), "GRANT SELECT ON shop.* TO reader")
        yield admin.set(database="shop")


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        for statement in filling():
            connection.execute(statement)
        connection.execute("CREATE TABLE note (id INTEGER, text TEXT)")
        connection.execute("INSERT INTO note VALUES (1, CAST(x'66fc72' AS TEXT)), (2, CAST(x'66e472' AS TEXT))")
    connection.close()
    return path


@pytest.fixture(scope="module")
def duckdb_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("duckdb") / "shop.duckdb"
    with duckdb.connect(path) as connection:
        for statement in filling():
            connection.execute(statement)
    return path


@pytest.fixture(scope="module")
def workers() -> Iterator[SqlWorkers]:
    os.environ[VARIABLE] = PASSWORD
    with SqlWorkers(1, memory_bytes=MEMORY_BYTES, password_variable=VARIABLE) as pool:
        yield pool
    del os.environ[VARIABLE]


def database(source: str) -> RealDatabase:
    return RealDatabase(source, VARIABLE if "@" in source else None, SECONDS, ROWS)


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql"])
def shop(request: pytest.FixtureRequest) -> RealDatabase:
    """The same rows in each kind of database."""
    kind = request.param
    if kind in ("sqlite", "duckdb"):
        path = request.getfixturevalue(f"{kind}_file")
        return database(str(path) if kind == "sqlite" else f"duckdb:///{path}")
    server = request.getfixturevalue("postgres_server" if kind == "postgres" else "mariadb_server")
    scheme = "postgresql" if kind == "postgres" else "mysql"
    return database(f"{scheme}://reader@127.0.0.1:{server.port}/shop")


Judge = Callable[[str, str], SqlOutcome]


@pytest.fixture
def judged(workers: SqlWorkers, shop: RealDatabase) -> Judge:
    return lambda gold, prediction: workers.judge(RealPair(gold, prediction, shop.dialect, shop))


GOLD = "SELECT name FROM city WHERE people > 150"

RIGHT = [
    (GOLD, "select c.name from city as c where 150 < c.people"),
    (GOLD, "SELECT name FROM city WHERE people >= 160 ORDER BY id DESC"),
    ("SELECT AVG(area) FROM city", "SELECT SUM(area) / COUNT(area) FROM city"),
    ("SELECT MAX(founded) FROM city", "SELECT founded FROM city ORDER BY id DESC LIMIT 1"),
    ("SELECT name, people FROM city ORDER BY people", "SELECT name, people FROM city ORDER BY people, id DESC"),
    ("SELECT country, COUNT(*) FROM city GROUP BY country", "SELECT country, COUNT(id) FROM city GROUP BY country"),
    ("SELECT name FROM city WHERE area IS NULL", "SELECT name FROM city WHERE id = 7"),
    (
        "SELECT DISTINCT c.name FROM city AS c JOIN river AS r ON r.city_id = c.id WHERE r.length > 6",
        "SELECT name FROM city WHERE id IN (SELECT city_id FROM river WHERE length > 6)",
    ),
    ("SELECT name FROM city WHERE name LIKE '%5%'", "SELECT name FROM city WHERE name LIKE 'City%5%'"),
]
WRONG = [
    (GOLD, "SELECT name FROM city WHERE people >= 150"),
    (GOLD, "SELECT name, name FROM city WHERE people > 150"),
    ("SELECT country FROM city", "SELECT DISTINCT country FROM city"),
    ("SELECT name FROM city ORDER BY id", "SELECT name FROM city ORDER BY id DESC"),
    ("SELECT COUNT(area) FROM city", "SELECT COUNT(*) FROM city"),
]


def test_right_and_wrong_rows_are_told_apart(judged: Judge) -> None:
    for gold, prediction in RIGHT:
        outcome = judged(gold, prediction)
        assert (outcome.execution, outcome.valid, outcome.obstacle) == (True, True, None), (gold, prediction, outcome)
    for gold, prediction in WRONG:
        outcome = judged(gold, prediction)
        assert (outcome.execution, outcome.valid, outcome.obstacle) == (False, True, None), (gold, prediction, outcome)


def test_what_does_not_run_is_wrong_and_says_why(judged: Judge) -> None:
    for prediction, reason in [
        ("SELECT mayor FROM city", "mayor"),
        ("SELECT name FROM town", "town"),
        ("", ""),
        ("I do not know.", ""),
        ("SELECT a.name FROM city a, city b, city c", f"{ROWS} rows"),
    ]:
        outcome = judged(GOLD, prediction)
        assert (outcome.execution, outcome.valid, outcome.obstacle) == (False, False, None), prediction
        assert outcome.error
        assert reason in outcome.error


def test_a_gold_that_tells_nothing_is_not_judged_by(judged: Judge) -> None:
    for gold, obstacle in [
        ("SELECT mayor FROM city", "gold_fails"),
        ("SELECT name FROM city WHERE people > 9000", "gold_empty"),
        ("SELECT COUNT(*) FROM city WHERE people > 9000", "gold_empty"),
        (
            "SELECT name FROM city ORDER BY people DESC LIMIT 2",
            "gold_arbitrary",
        ),  # three more people share the second place
        ("SELECT name FROM city LIMIT 3", "gold_arbitrary"),
    ]:
        outcome = judged(gold, gold)
        assert (outcome.execution, outcome.obstacle) == (None, obstacle), gold


HOSTILE = [
    "DELETE FROM city",
    "UPDATE city SET people = 0",
    "INSERT INTO city SELECT * FROM city",
    "DROP TABLE river",
    "CREATE TABLE loot AS SELECT * FROM city",
    "SELECT * INTO loot FROM city",
    "SELECT name FROM city; DELETE FROM city",
    "WITH gone AS (DELETE FROM city RETURNING name) SELECT name FROM gone",
    "COMMIT",
    "SET statement_timeout = 0",
    "EXPLAIN ANALYZE DELETE FROM city",
    "CALL cleanup()",
]


def test_a_query_that_writes_is_refused_and_nothing_changes(judged: Judge) -> None:
    for attack in HOSTILE:
        outcome = judged(GOLD, attack)
        assert (outcome.execution, outcome.valid, outcome.obstacle) == (False, False, None), attack
    assert judged("SELECT COUNT(*), SUM(people) FROM city", "SELECT 40, 3990 + 10").execution


ENDLESS = "SELECT SUM(a.people * b.people + d.id) FROM " + ", ".join(f"city AS {name}" for name in "abcdefgh")


def test_a_query_that_does_not_end_is_stopped_where_it_runs(workers: SqlWorkers, shop: RealDatabase) -> None:
    start = time.monotonic()
    outcome = workers.judge(RealPair(GOLD, ENDLESS, shop.dialect, shop))
    assert time.monotonic() - start >= SECONDS
    assert (outcome.execution, outcome.valid, outcome.obstacle) == (False, False, None)
    assert outcome.error
    assert "killed" not in outcome.error, "the database's own limit comes first"
    assert workers.judge(RealPair(GOLD, GOLD, shop.dialect, shop)).execution


@pytest.mark.parametrize("dialect", ["sqlite", "mysql", "postgres", "duckdb"])
def test_gold_and_prediction_may_be_spelt_in_another_dialect(
    workers: SqlWorkers, shop: RealDatabase, dialect: str
) -> None:
    quote = "`" if dialect == "mysql" else '"'
    gold = f"SELECT {quote}name{quote} FROM city WHERE country = 'Peru' ORDER BY people DESC LIMIT 3 OFFSET 1"
    gold = gold.replace("people DESC", "people DESC, id")
    prediction = "SELECT name FROM (SELECT name, people, id FROM city WHERE country IN ('Peru')) AS p ORDER BY people DESC, id LIMIT 3 OFFSET 1"
    outcome = workers.judge(RealPair(gold, prediction, dialect, shop))
    assert (outcome.execution, outcome.obstacle) == (True, None), outcome


SPELT = {
    "postgres": [
        "SELECT EXTRACT(YEAR FROM founded), EXTRACT(DOW FROM founded), EXTRACT(DOY FROM founded) FROM city",
        "SELECT DATE_TRUNC('month', founded)::date, DATE_TRUNC('year', founded)::date FROM city",
        "SELECT (founded + INTERVAL '2 months')::date, (founded - INTERVAL '1 week')::date FROM city",
        "SELECT LEFT(name, 3), RIGHT(name, 3), name || country FROM city",
        "SELECT name FROM city WHERE name ILIKE 'CITY 1%'",
        "SELECT people / 20, people::text, people % 20 FROM city",
        "SELECT DISTINCT ON (country) country, name FROM city ORDER BY country, id DESC",
    ],
    "mysql": [
        "SELECT YEAR(founded), MONTH(founded), DAY(founded), QUARTER(founded), DAYOFWEEK(founded) FROM city",
        "SELECT DATE_ADD(founded, INTERVAL 2 MONTH), DATE_SUB(founded, INTERVAL 10 DAY) FROM city",
        "SELECT founded + INTERVAL id DAY, DATEDIFF(founded, '1510-01-01') FROM city",
        "SELECT LEFT(name, 3), RIGHT(name, 3), CONCAT(name, country) FROM city",
        "SELECT people DIV 20, people MOD 20, IF(people > 100, 'a', 'b'), DATE_FORMAT(founded, '%Y/%m') FROM city",
        "SELECT name FROM city ORDER BY id LIMIT 3, 4",
    ],
    "duckdb": [
        "SELECT year(founded), month(founded), date_part('day', founded), quarter(founded) FROM city",
        "SELECT date_trunc('month', founded)::DATE, (founded + INTERVAL 3 DAY)::DATE FROM city",
        "SELECT people // 20, left(name, 3), right(name, 3), name ILIKE 'city 1%' FROM city",
        "SELECT name FROM city QUALIFY ROW_NUMBER() OVER (PARTITION BY country ORDER BY id) = 2",
    ],
}


def test_what_is_respelt_for_sqlite_gives_the_rows_of_its_own_database(
    shop: RealDatabase, sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a gold in another dialect may be judged on SQLite: the same rows in both give the same answer."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with open_database(shop) as session, open_database(database(str(sqlite_file))) as other:
        for query in SPELT.get(shop.dialect, []):
            tree = parse_query(query, shop.dialect)
            there, here = session.run(query), other.run(to_sqlite(query, tree))
            assert sorted(map(_as_in_sqlite, there)) == sorted(map(_as_in_sqlite, here)), query


def _as_in_sqlite(row: Row) -> tuple[str, ...]:
    return tuple(str(int(value) if isinstance(value, bool | float) else value) for value in row)


# PostgreSQL


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


# Files


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
