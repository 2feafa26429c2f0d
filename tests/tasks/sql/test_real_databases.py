"""Answers judged on real databases: SQLite and DuckDB files, PostgreSQL and MariaDB servers, all in worker processes."""

import time
from pathlib import Path

import pytest

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.query import parse_query, to_sqlite
from finetune_flows.tasks.sql.real.database import RealDatabase
from finetune_flows.tasks.sql.real.judging import RealPair, open_database
from finetune_flows.tasks.sql.workers import SqlWorkers
from tests.support.database_servers import PASSWORD
from tests.tasks.sql.shop_databases import (
    GOLD,
    ROWS,
    SECONDS,
    VARIABLE,
    Judge,
    database,
    duckdb_file,
    judged,
    mariadb_server,
    postgres_server,
    shop,
    sqlite_file,
    workers,
)

__all__ = ["duckdb_file", "judged", "mariadb_server", "postgres_server", "shop", "sqlite_file", "workers"]


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
