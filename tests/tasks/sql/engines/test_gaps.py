"""Without the dialect's own engine: what SQLite would take otherwise is not evaluable, whatever the verdict would be."""

import pytest

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair, judge_pair

SCHEMA = """
    CREATE TABLE client (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, city VARCHAR(40), vip BOOLEAN, joined DATE);
    CREATE TABLE sale (id INT PRIMARY KEY, client_id INT REFERENCES client (id), qty INT, placed TIMESTAMP, due DATE);
"""
GAPS = {
    "postgres": [
        "SELECT city, name FROM client GROUP BY city",  # GROUP BY strictness
        "SELECT city, COUNT(*) AS n FROM client GROUP BY city HAVING n > 1",  # an alias in HAVING
        "SELECT name AS n FROM client WHERE n = 'Ada'",
        "SELECT name AS n FROM client ORDER BY LOWER(n)",
        "SELECT DISTINCT city FROM client ORDER BY LOWER(city)",
        "SELECT name FROM client WHERE vip = 1",  # kinds that the engine does not compare
        "SELECT name FROM client WHERE city = 5",
        "SELECT id FROM sale WHERE qty LIKE '5'",
        "SELECT LOWER(qty) FROM sale",
        "SELECT SUM(city) FROM client",
        "SELECT COALESCE(qty, 'none') FROM sale",
        "SELECT CASE WHEN qty > 1 THEN qty ELSE 'few' END FROM sale",
        "SELECT IFNULL(city, '?') FROM client",  # functions of SQLite only
        "SELECT STRFTIME('%Y', joined) FROM client",
        "SELECT due - placed::date FROM sale",  # arithmetic of dates
        "SELECT id FROM sale WHERE placed <= '2024-03-31'",  # midnight
        "SELECT EXTRACT(ISODOW FROM placed) FROM sale",
        "SELECT DATE_TRUNC('week', placed) FROM sale",
        "SELECT AVG(qty)::int FROM sale",  # a cast that rounds
        "SELECT rowid FROM client",  # SQLite's own column
        "SELECT name FROM other.client",  # another schema
        "SELECT * FROM generate_series(1, 3)",
    ],
    "mysql": [
        "SELECT name AS n FROM client WHERE n = 'Ada'",
        "SELECT DATE_TRUNC('month', placed) FROM sale",
        "SELECT DISTINCT city FROM client ORDER BY LOWER(city)",
        "SELECT joined + 1 FROM client",
    ],
}
UNDERSTOOD = {
    "postgres": [
        ("SELECT name FROM public.client WHERE city = 'Oslo'", "SELECT name FROM client WHERE city = 'Oslo'", True),
        ("SELECT name FROM client WHERE name LIKE 'A%'", "SELECT name FROM client WHERE name ILIKE 'A%'", False),
        ("SELECT city, COUNT(*) FROM client GROUP BY 1", "SELECT c.city, COUNT(c.id) FROM client c GROUP BY c.city", True),
        ("SELECT id, name, COUNT(*) FROM client GROUP BY id", "SELECT id, name, COUNT(id) FROM client GROUP BY id", True),
        ("SELECT id FROM sale WHERE placed >= '2024-03-31'", "SELECT id FROM sale WHERE NOT placed < '2024-03-31'", True),
    ],
    "mysql": [
        ("SELECT name FROM client WHERE city = 'Oslo'", "SELECT name FROM client WHERE city = 'OSLO'", True),
        ("SELECT name FROM client WHERE vip", "SELECT name FROM client WHERE vip = 1", True),
    ],
}  # fmt: skip


def judge(dialect: str, gold: str, prediction: str) -> SqlOutcome:
    """No server is named, so the translation judges."""
    return judge_pair(SqlPair(SCHEMA, gold, prediction, dialect, 5))


@pytest.mark.parametrize(
    ("dialect", "query"), [(dialect, query) for dialect, queries in GAPS.items() for query in queries]
)
def test_a_known_gap_is_not_evaluable_and_says_why(dialect: str, query: str) -> None:
    outcome = judge(dialect, "SELECT name FROM client", query)
    assert (outcome.valid, outcome.execution, outcome.obstacle) == (None, None, "no_engine"), outcome
    assert f"no {dialect} server is running here; SQLite may read it otherwise: " in (outcome.detail or "")


@pytest.mark.parametrize(
    ("dialect", "case"), [(dialect, case) for dialect, cases in UNDERSTOOD.items() for case in cases]
)
def test_what_both_understand_alike_is_judged(dialect: str, case: tuple[str, str, bool]) -> None:
    gold, prediction, right = case
    outcome = judge(dialect, gold, prediction)
    assert (outcome.valid, outcome.execution) == (True, right), outcome


@pytest.mark.parametrize(("written", "as_text"), [('"firstName"', True), ("firstName", False)])
def test_postgres_reads_names_without_quotes_in_lower_case(written: str, as_text: bool) -> None:
    schema = 'CREATE TABLE "Users" ("userId" INTEGER PRIMARY KEY, "firstName" TEXT, age INTEGER)'
    gold = 'SELECT "firstName" FROM "Users" WHERE age > 30'
    outcome = judge_pair(SqlPair(schema, gold, gold.replace('"firstName"', written), "postgres", 5))
    assert outcome.execution is (True if as_text else None), outcome


def test_the_members_of_an_enum_have_an_order_of_their_own() -> None:
    schema = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TABLE person (id INT PRIMARY KEY, mood mood)"
    outcome = judge_pair(SqlPair(schema, *["SELECT id FROM person WHERE mood > 'ok'"] * 2, "postgres", 5))
    assert outcome.obstacle == "no_engine", outcome
