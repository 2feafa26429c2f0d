"""Schemas as people write them, read and judged in each engine."""

from collections.abc import Iterator

import pytest

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair, judge_pair
from finetune_flows.tasks.sql.schema import read_schema
from finetune_flows.tasks.sql.statements import UnreadableSchema, statements_of
from finetune_flows.tasks.sql.workers import SqlWorkers


@pytest.fixture(scope="module")
def workers() -> Iterator[SqlWorkers]:
    with SqlWorkers(1) as pool:
        yield pool


def kinds(context: str, dialect: str = "postgres") -> list[str | None]:
    return [statement.kind for statement in statements_of(context, dialect)]


def test_a_text_is_taken_apart_by_its_tokens() -> None:
    assert kinds("CREATE TABLE a (x INT) -- one; two\nCREATE TABLE b (y INT)") == ["table", "table"]
    assert kinds("CREATE TABLE a (x TEXT DEFAULT ';'); /* ; */ ALTER TABLE a ADD y INT;") == ["table", "change"]
    assert kinds("CREATE TYPE m AS ENUM ('a', 'b'); CREATE MATERIALIZED VIEW v AS SELECT 1;") == ["type", "view"]
    assert kinds("SET x = 1; COMMENT ON TABLE a IS 'CREATE'; CREATE INDEX i ON a (x); GRANT ALL ON a TO b") == []
    assert kinds("CREATE TABLE sqlite_sequence(name, seq); CREATE TABLE a (x INT)", "sqlite") == ["table"]
    texts = [s.text for s in statements_of("CREATE TABLE a (x INT);INSERT INTO a VALUES (1), (2);", "sqlite")]
    assert texts == ["CREATE TABLE a (x INT)", "INSERT INTO a VALUES (1), (2)"]


def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(UnreadableSchema, match=r"cannot read 'CREATE TABLE b \(\(\('"):
        read_schema("CREATE TABLE a (x INT); CREATE TABLE b (((", "sqlite")
    with pytest.raises(UnreadableSchema, match="taken apart"):
        read_schema("CREATE TABLE a (x TEXT DEFAULT 'open)", "sqlite")
    with pytest.raises(UnreadableSchema, match="no table"):
        read_schema("people, places", "sqlite")


STAFF = "CREATE TABLE staff (id INTEGER PRIMARY KEY, name VARCHAR(30), wage INTEGER)"
CASES = [  # dialect, context, gold, the same, something else
    (
        "postgres",
        "CREATE SCHEMA hr; CREATE TABLE hr.staff (id INT PRIMARY KEY, wage INT); "
        "CREATE VIEW hr.rich AS SELECT * FROM hr.staff WHERE wage > 300",
        "SELECT id FROM hr.rich",
        "SELECT id FROM hr.staff WHERE wage >= 301",
        "SELECT id FROM hr.staff WHERE wage >= 300",
    ),
    (
        "postgres",
        STAFF + "; CREATE MATERIALIZED VIEW pay AS SELECT name, SUM(wage) AS total FROM staff GROUP BY name",
        "SELECT name FROM pay WHERE total > 500",
        "SELECT name FROM staff GROUP BY name HAVING SUM(wage) > 500",
        "SELECT name FROM staff GROUP BY name HAVING MAX(wage) > 500",
    ),
    (
        "postgres",
        "CREATE TABLE m (id INT, day DATE NOT NULL, n INT) PARTITION BY RANGE (day);"
        "CREATE TABLE m_2024 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');",
        "SELECT n FROM m WHERE day >= '2024-03-01'",
        "SELECT n FROM m WHERE day > '2024-02-29'",
        "SELECT n FROM m WHERE day > '2024-03-01'",
    ),
    (
        "postgres",
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');"
        "CREATE TABLE p (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood, tags TEXT[], doc JSONB,"
        " wage NUMERIC(8,2) CHECK (wage > 0), twice NUMERIC GENERATED ALWAYS AS (wage * 2) STORED);"
        "COMMENT ON TABLE p IS 'people; all'; ALTER TABLE p OWNER TO nobody_here;",
        "SELECT id, twice FROM p WHERE m > 'sad' AND 'a' = ANY(tags)",
        "SELECT id, wage * 2 FROM p WHERE m IN ('ok', 'happy') AND tags @> ARRAY['a']",
        "SELECT id, twice FROM p WHERE m >= 'sad' AND 'a' = ANY(tags)",
    ),
    (
        "postgres",
        'CREATE TABLE "Users" ("userId" INTEGER PRIMARY KEY, "firstName" TEXT, Age INT)',
        'SELECT "firstName" FROM "Users" WHERE age > 30',
        'SELECT u."firstName" FROM "Users" AS u WHERE AGE >= 31',
        'SELECT "firstName" FROM "Users" WHERE age > 31',
    ),
    (
        "postgres",
        "CREATE TABLE dept (id INTEGER NOT NULL, name TEXT);CREATE TABLE emp (id INTEGER NOT NULL, dept_id INTEGER NOT NULL);"
        "ALTER TABLE ONLY dept ADD CONSTRAINT dept_pkey PRIMARY KEY (id);"
        "ALTER TABLE ONLY emp ADD CONSTRAINT emp_dept FOREIGN KEY (dept_id) REFERENCES dept(id);",
        "SELECT COUNT(*) FROM emp",
        "SELECT COUNT(*) FROM emp JOIN dept ON dept.id = dept_id",
        "SELECT COUNT(DISTINCT dept_id) FROM emp",
    ),
    (
        "mysql",
        "CREATE TABLE `users` (`id` int unsigned NOT NULL AUTO_INCREMENT, `state` enum('new','gone') NOT NULL DEFAULT 'new',"
        " `mail` varchar(60) COLLATE utf8mb4_unicode_ci COMMENT 'a; b', `big` varchar(70) GENERATED ALWAYS AS (upper(`mail`))"
        " VIRTUAL, `born` year, PRIMARY KEY (`id`), KEY `k` (`state`)) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4;",
        "SELECT id, big FROM users WHERE state = 'new'",
        "SELECT id, UPPER(mail) FROM users WHERE state <> 'gone'",
        "SELECT id, big FROM users WHERE state = 'gone'",
    ),
    (
        "duckdb",
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE p (id INTEGER, m mood, tags VARCHAR[], wage DECIMAL(8, 2) CHECK (wage > 0))",
        "SELECT id FROM p WHERE m = 'ok' AND list_contains(tags, 'a')",
        "SELECT id FROM main.p WHERE m <> 'sad' AND 'a' = ANY(tags)",
        "SELECT id FROM p WHERE m = 'sad'",
    ),
    (
        "sqlite",
        "CREATE TABLE a (x INTEGER, PRIMARY KEY (x))\n\nCREATE TABLE b (y INTEGER REFERENCES a (x), z TEXT)\n"
        "/* 2 rows from b:\n y z\n1 it's; */\nINSERT INTO b VALUES (1, 'unheard of');",
        "SELECT COUNT(*) FROM b WHERE z = 'unheard of'",
        "SELECT SUM(z = 'unheard of') FROM b",
        "SELECT COUNT(*) FROM b",
    ),
    (
        "sqlite",
        STAFF
        + "; ALTER TABLE staff ADD COLUMN bonus INTEGER; CREATE VIEW paid AS SELECT name, wage + bonus AS pay FROM staff",
        "SELECT name FROM paid WHERE pay > 300",
        "SELECT name FROM staff WHERE wage + bonus >= 301",
        "SELECT name FROM staff WHERE wage > 300",
    ),
]


@pytest.mark.parametrize(("dialect", "context", "gold", "same", "other"), CASES)
def test_schemas_are_judged_as_they_come(
    workers: SqlWorkers, dialect: str, context: str, gold: str, same: str, other: str
) -> None:
    def judge(prediction: str) -> SqlOutcome:
        return workers.judge(SqlPair(context, gold, prediction, dialect, 5))

    for prediction, right in [(gold, True), (same, True), (other, False)]:
        outcome = judge(prediction)
        assert outcome.translated is None, outcome
        assert (outcome.valid, outcome.obstacle, outcome.execution) == (True, None, right), (prediction, outcome)


def test_what_the_engine_refuses_is_judged_by_the_translation_and_the_outcome_says_so(workers: SqlWorkers) -> None:
    """sql-create-context writes VARCHAR without a length, which MySQL does not know."""
    outcome = workers.judge(
        SqlPair(
            "CREATE TABLE t (a VARCHAR)", 'SELECT a FROM t WHERE a = "x"', "SELECT a FROM t WHERE a = 'x'", "mysql", 5
        )
    )
    assert (outcome.execution, outcome.valid) == (True, True)
    assert "refuses 'CREATE TABLE t (a VARCHAR)'" in (outcome.translated or "")
    assert "translated from mysql" in (outcome.engine or "")


def test_a_table_defined_twice_is_merged() -> None:
    context = "CREATE TABLE s (id VARCHAR); CREATE TABLE S (n INTEGER, ID VARCHAR)"
    outcome = judge_pair(
        SqlPair(context, "SELECT id FROM s WHERE n > 10", "SELECT id FROM s WHERE n >= 11", "sqlite", 5)
    )
    assert outcome.execution is True
    assert "already exists" in (outcome.translated or "")
