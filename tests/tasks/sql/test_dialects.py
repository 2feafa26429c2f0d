"""Gold and prediction in MySQL, SQLite, PostgreSQL and DuckDB spelling, judged on SQLite."""

import pytest

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair, judge_pair

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

# What SQLite has no counterpart for: the gold fails there, and its row is counted apart.
BEYOND_SQLITE = {
    "sqlite": ["SELECT title FROM song WHERE title REGEXP '^I'", "SELECT value FROM song, json_each('[1]')"],
    "mysql": [
        "SELECT title FROM song WHERE title REGEXP '^I'",
        "SELECT STR_TO_DATE(title, '%d.%m.%Y') FROM song",
        "SELECT FIELD(singer, 'a', 'b') FROM song",
    ],
    "postgres": [
        "SELECT title FROM song WHERE title ~ '^I'",
        "SELECT title FROM song WHERE singer = ANY(ARRAY['Iris', 'Ada'])",
        "SELECT SPLIT_PART(title, ' ', 1) FROM song",
        "SELECT * FROM song AS s CROSS JOIN LATERAL (SELECT s.id) AS x",
        "SELECT generate_series(1, 3)",
    ],
    "duckdb": [
        "SELECT singer, COUNT(*) FROM song GROUP BY ALL",
        "SELECT * EXCLUDE (id) FROM song",
        "SELECT list(title) FROM song",
        "SELECT median(seconds) FROM song",
        "SELECT arg_max(title, seconds) FROM song",
        "SELECT regexp_matches(title, '^I') FROM song",
    ],
}


def judge(dialect: str, gold: str, prediction: str) -> SqlOutcome:
    return judge_pair(SqlPair(CONTEXTS[dialect], gold, prediction, dialect, 5))


@pytest.mark.parametrize(("dialect", "case"), [(dialect, case) for dialect, cases in CASES.items() for case in cases])
def test_typical_constructs_are_judged(dialect: str, case: tuple[str, str, str]) -> None:
    gold, same, other = case
    for prediction, right in [(gold, True), (same, True), (other, False)]:
        outcome = judge(dialect, gold, prediction)
        assert (outcome.valid, outcome.obstacle) == (True, None), (prediction, outcome)
        assert outcome.execution is right, prediction


@pytest.mark.parametrize(
    ("dialect", "gold"), [(dialect, gold) for dialect, golds in BEYOND_SQLITE.items() for gold in golds]
)
def test_what_sqlite_cannot_run_is_counted_apart(dialect: str, gold: str) -> None:
    outcome = judge(dialect, gold, gold)
    assert (outcome.execution, outcome.obstacle) == (None, "gold_fails")
    assert outcome.detail
