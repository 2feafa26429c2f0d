"""A shop's tables with the same rows in a SQLite and a DuckDB file, a PostgreSQL and a MariaDB server."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from finetune_flows.tasks.sql.judging import SqlOutcome
from finetune_flows.tasks.sql.real.database import RealDatabase
from finetune_flows.tasks.sql.real.judging import RealPair
from finetune_flows.tasks.sql.workers import SqlWorkers
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


GOLD = "SELECT name FROM city WHERE people > 150"


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
    with SqlWorkers(1, password_variable=VARIABLE) as pool:
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
