"""Gold and prediction in MySQL, SQLite, PostgreSQL and DuckDB spelling: in each one's own engine, and in SQLite instead."""

from collections.abc import Iterator

import pytest

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair, judge_pair
from finetune_flows.tasks.sql.workers import SqlWorkers

CONTEXTS = {
    "sqlite": 'CREATE TABLE song (id INTEGER PRIMARY KEY, title TEXT, "release date" DATE, seconds INT, singer TEXT)',
    "mysql": "CREATE TABLE `song` (`id` INT AUTO_INCREMENT PRIMARY KEY, `title` VARCHAR(40), `release date` DATE, `seconds` INT, `singer` VARCHAR(40)) ENGINE=InnoDB",
    "postgres": 'CREATE TABLE song (id SERIAL PRIMARY KEY, title TEXT, "release date" DATE, seconds INT, singer CHARACTER VARYING(40))',
    "duckdb": 'CREATE TABLE song (id INTEGER PRIMARY KEY, title VARCHAR, "release date" DATE, seconds INTEGER, singer VARCHAR)',
}

# Gold, another way to say it, and something else.
CASES = {
    "sqlite": [
        ('SELECT title FROM song WHERE singer = "Iris"', "SELECT [title] FROM song WHERE singer = 'Iris'", "SELECT title FROM song WHERE singer = 'Ivis'"),
        ("SELECT `title` FROM song ORDER BY seconds LIMIT 2, 3", "SELECT title FROM song ORDER BY seconds LIMIT 3 OFFSET 2", "SELECT title FROM song ORDER BY seconds LIMIT 3, 2"),
        ("SELECT title FROM song WHERE strftime('%Y', \"release date\") = '2020'", "SELECT title FROM song WHERE \"release date\" LIKE '2020-%'", "SELECT title FROM song WHERE strftime('%Y', \"release date\") = '2021'"),
        ("SELECT title || singer FROM song", "SELECT concat_rows FROM (SELECT title || singer AS concat_rows FROM song)", "SELECT singer || title FROM song"),
        ("SELECT IFNULL(singer, '?') FROM song", "SELECT COALESCE(singer, '?') FROM song", "SELECT singer FROM song"),
    ],
    "mysql": [
        ('SELECT `title` FROM `song` WHERE singer = "Iris"', "SELECT title FROM song WHERE singer = 'Iris'", 'SELECT title FROM song WHERE singer = "Ivis"'),
        ("SELECT title FROM song ORDER BY seconds LIMIT 2, 3", "SELECT title FROM song ORDER BY seconds LIMIT 3 OFFSET 2", "SELECT title FROM song ORDER BY seconds LIMIT 3"),
        ("SELECT title FROM song WHERE YEAR(`release date`) = 2020", "SELECT title FROM song WHERE `release date` BETWEEN '2020-01-01' AND '2020-12-31'", "SELECT title FROM song WHERE YEAR(`release date`) = 2021"),
        ("SELECT MONTH(`release date`), DAY(`release date`) FROM song", "SELECT EXTRACT(MONTH FROM `release date`), DAYOFMONTH(`release date`) FROM song", "SELECT DAY(`release date`), MONTH(`release date`) FROM song"),
        ("SELECT title FROM song WHERE `release date` > DATE_SUB('2020-03-31', INTERVAL 3 MONTH)", "SELECT title FROM song WHERE `release date` > '2019-12-31'", "SELECT title FROM song WHERE `release date` > DATE_SUB('2020-03-31', INTERVAL 3 DAY)"),
        ("SELECT CONCAT(title, '-', singer) FROM song", "SELECT CONCAT(CONCAT(title, '-'), singer) FROM song", "SELECT CONCAT(title, singer) FROM song"),
        ("SELECT LEFT(title, 2), RIGHT(title, 2) FROM song", "SELECT SUBSTRING(title, 1, 2), RIGHT(title, 2) FROM song", "SELECT LEFT(title, 2), LEFT(title, 2) FROM song"),
        ("SELECT IF(seconds > 200, 'long', 'short') FROM song", "SELECT CASE WHEN seconds > 200 THEN 'long' ELSE 'short' END FROM song", "SELECT IF(seconds >= 200, 'long', 'short') FROM song"),
        ("SELECT DATEDIFF(`release date`, '2020-01-01') FROM song", "SELECT 0 - DATEDIFF('2020-01-01', `release date`) FROM song", "SELECT DATEDIFF('2020-01-01', `release date`) FROM song"),
    ],
    "postgres": [
        ("SELECT \"title\" FROM song WHERE singer ILIKE 'iris%'", "SELECT title FROM song WHERE LOWER(singer) LIKE 'iris%'", "SELECT title FROM song WHERE singer ILIKE '%iris'"),
        ("SELECT seconds::text FROM song", "SELECT CAST(seconds AS VARCHAR) FROM song", "SELECT title FROM song"),
        ("SELECT title FROM song ORDER BY seconds DESC NULLS LAST LIMIT 3 OFFSET 1", "SELECT title FROM song ORDER BY seconds DESC NULLS LAST OFFSET 1 LIMIT 3", "SELECT title FROM song ORDER BY seconds NULLS LAST LIMIT 3 OFFSET 1"),
        ("SELECT title FROM song WHERE EXTRACT(YEAR FROM \"release date\") = 2020", "SELECT title FROM song WHERE DATE_PART('year', \"release date\") = 2020", "SELECT title FROM song WHERE EXTRACT(YEAR FROM \"release date\") > 2020"),
        ("SELECT title FROM song WHERE \"release date\" >= DATE '2020-01-31' + INTERVAL '1 day'", "SELECT title FROM song WHERE \"release date\" >= '2020-02-01'", "SELECT title FROM song WHERE \"release date\" < DATE '2020-01-31' + INTERVAL '1 day'"),
        ("SELECT DATE_TRUNC('month', \"release date\"), COUNT(*) FROM song GROUP BY 1", "SELECT DATE_TRUNC('month', \"release date\"), COUNT(id) FROM song GROUP BY DATE_TRUNC('month', \"release date\")", "SELECT DATE_TRUNC('year', \"release date\"), COUNT(*) FROM song GROUP BY 1"),
        ("SELECT COUNT(*) FILTER (WHERE seconds > 200) FROM song", "SELECT SUM(CASE WHEN seconds > 200 THEN 1 ELSE 0 END) FROM song", "SELECT COUNT(*) FILTER (WHERE seconds > 100) FROM song"),
    ],
    "duckdb": [
        ("FROM song SELECT title WHERE seconds > 200", "SELECT title FROM song WHERE seconds > 200", "FROM song SELECT title WHERE seconds >= 200"),
        ("SELECT title FROM song WHERE singer ILIKE '%iris%'", "SELECT title FROM song WHERE LOWER(singer) LIKE '%iris%'", "SELECT title FROM song WHERE singer ILIKE 'iris'"),
        ("SELECT seconds // 60 FROM song", "SELECT (seconds // 60)::INT FROM song", "SELECT seconds // 61 FROM song"),
        ("SELECT title FROM song WHERE date_part('year', \"release date\") = 2020", "SELECT title FROM song WHERE year(\"release date\") = 2020", "SELECT title FROM song WHERE year(\"release date\") <> 2020"),
        ("SELECT title FROM song QUALIFY ROW_NUMBER() OVER (PARTITION BY singer ORDER BY id) = 1", "SELECT title FROM (SELECT title, ROW_NUMBER() OVER (PARTITION BY singer ORDER BY id) AS n FROM song) WHERE n = 1", "SELECT title FROM song QUALIFY ROW_NUMBER() OVER (PARTITION BY singer ORDER BY id) = 2"),
    ],
}  # fmt: skip

# What SQLite has no counterpart for, each with something else.
BEYOND_SQLITE = {
    "mysql": [
        ("SELECT title FROM song WHERE title REGEXP '^I'", "SELECT title FROM song WHERE title REGEXP 'I$'"),
        ("SELECT LPAD(title, 9, '*') FROM song", "SELECT RPAD(title, 9, '*') FROM song"),
        ("SELECT SUBSTRING_INDEX(title, ' ', 1) FROM song", "SELECT SUBSTRING_INDEX(title, ' ', -1) FROM song"),
    ],
    "postgres": [
        ("SELECT title FROM song WHERE title ~ '^I'", "SELECT title FROM song WHERE title ~ 'I$'"),
        ("SELECT title FROM song WHERE singer = ANY(ARRAY['Iris', 'Ada'])", "SELECT title FROM song WHERE singer = ANY(ARRAY['Iris'])"),
        ("SELECT SPLIT_PART(title, ' ', 1) FROM song", "SELECT SPLIT_PART(title, ' ', 2) FROM song"),
        ("SELECT TO_CHAR(\"release date\", 'YYYY-MM') FROM song", "SELECT TO_CHAR(\"release date\", 'YYYY-DD') FROM song"),
        ("SELECT singer, AVG(seconds)::int FROM song GROUP BY singer", "SELECT singer, FLOOR(AVG(seconds)) FROM song GROUP BY singer"),
        ("SELECT DATE '2024-06-30' - \"release date\" FROM song", "SELECT DATE '2024-01-01' - \"release date\" FROM song"),
    ],
    "duckdb": [
        ("SELECT singer, COUNT(*) FROM song GROUP BY ALL", "SELECT singer, COUNT(*) + 1 FROM song GROUP BY ALL"),
        ("SELECT * EXCLUDE (id) FROM song", "SELECT * EXCLUDE (title) FROM song"),
        ("SELECT median(seconds) FROM song", "SELECT avg(seconds) FROM song"),
        ("SELECT date_diff('month', \"release date\", DATE '2024-01-01') FROM song", "SELECT date_diff('year', \"release date\", DATE '2024-01-01') FROM song"),
        ("SELECT dayofweek(\"release date\") FROM song", "SELECT isodow(\"release date\") FROM song"),
    ],
}  # fmt: skip
ENGINES = {"sqlite": "SQLite", "mysql": "MariaDB", "postgres": "PostgreSQL", "duckdb": "DuckDB"}


@pytest.fixture(scope="module")
def workers() -> Iterator[SqlWorkers]:
    with SqlWorkers(1) as pool:
        yield pool


def pair(dialect: str, gold: str, prediction: str) -> SqlPair:
    return SqlPair(CONTEXTS[dialect], gold, prediction, dialect, 5)


def check(outcome: SqlOutcome, right: bool) -> None:
    assert (outcome.valid, outcome.obstacle, outcome.execution) == (True, None, right), outcome


@pytest.mark.parametrize(("dialect", "case"), [(dialect, case) for dialect, cases in CASES.items() for case in cases])
def test_typical_constructs_are_judged_in_their_engine(
    workers: SqlWorkers, dialect: str, case: tuple[str, str, str]
) -> None:
    gold, same, other = case
    for prediction, right in [(gold, True), (same, True), (other, False)]:
        outcome = workers.judge(pair(dialect, gold, prediction))
        check(outcome, right)
        assert (outcome.engine or "").startswith(ENGINES[dialect])
        assert outcome.translated is None


@pytest.mark.parametrize(
    ("dialect", "case"), [(dialect, case) for dialect, cases in BEYOND_SQLITE.items() for case in cases]
)
def test_what_only_its_engine_knows_is_judged_there(workers: SqlWorkers, dialect: str, case: tuple[str, str]) -> None:
    gold, other = case
    check(workers.judge(pair(dialect, gold, gold)), True)
    check(workers.judge(pair(dialect, gold, other)), False)


@pytest.mark.parametrize(
    ("dialect", "case"), [(dialect, case) for dialect in ("mysql", "postgres") for case in CASES[dialect]]
)
def test_without_the_engine_sqlite_stands_in(dialect: str, case: tuple[str, str, str]) -> None:
    gold, same, other = case
    for prediction, right in [(gold, True), (same, True), (other, False)]:
        outcome = judge_pair(pair(dialect, gold, prediction))
        check(outcome, right)
        assert "translated" in (outcome.engine or "")
        assert outcome.translated == f"no {dialect} server is running here"


@pytest.mark.parametrize(
    ("dialect", "gold"), [(dialect, gold) for dialect in ("mysql", "postgres") for gold, _ in BEYOND_SQLITE[dialect]]
)
def test_without_the_engine_what_sqlite_cannot_say_is_nobodys_fault(dialect: str, gold: str) -> None:
    for outcome in (judge_pair(pair(dialect, gold, gold)), judge_pair(pair(dialect, "SELECT title FROM song", gold))):
        if outcome.obstacle is None:  # SQLite does know it
            continue
        assert (outcome.execution, outcome.valid, outcome.obstacle) == (None, None, "no_engine")
        assert f"no {dialect} server" in (outcome.detail or "")


def test_without_the_engine_an_unknown_column_is_still_a_fault() -> None:
    outcome = judge_pair(pair("postgres", "SELECT title FROM song", "SELECT titel FROM song"))
    assert (outcome.valid, outcome.execution, outcome.obstacle) == (False, False, None)
