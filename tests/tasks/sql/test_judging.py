"""Verdicts on pairs of queries. The predictions here are harmless, so they are judged in this process."""

import random
from collections.abc import Sequence

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sql_mutants import rewrites
from finetune_flows.tasks.sql.generator.databases import make_database, storage_orders
from finetune_flows.tasks.sql.generator.query_facts import query_facts
from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair, judge_pair
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.schema import read_schema

LOANS = (
    "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, author TEXT, pages INTEGER); "
    "CREATE TABLE loan (id INTEGER PRIMARY KEY, book_id INTEGER NOT NULL REFERENCES book (id), lent_on DATE, returned DATE)"
)


def judge(context: str, gold: str, prediction: str, dialect: str = "sqlite", databases: int = 5) -> SqlOutcome:
    return judge_pair(SqlPair(context, gold, prediction, dialect, databases))


def accepted(gold: str, prediction: str, context: str = LOANS, dialect: str = "sqlite") -> bool:
    outcome = judge(context, gold, prediction, dialect)
    assert outcome.obstacle is None
    assert outcome.execution is not None
    return outcome.execution


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("SELECT title FROM book WHERE pages > 500", "select b.title from book b where 500 < b.pages"),
        ("SELECT title FROM book WHERE pages > 500", "SELECT title FROM book WHERE pages >= 501"),
        ("SELECT COUNT(*) FROM book", "SELECT COUNT(id) FROM book"),  # a key is never NULL
        (
            "SELECT title FROM book WHERE id IN (SELECT book_id FROM loan)",
            "SELECT title FROM book WHERE EXISTS (SELECT 1 FROM loan WHERE book_id = book.id)",
        ),
        (
            "SELECT COUNT(*) FROM loan",
            "SELECT COUNT(*) FROM loan JOIN book ON book.id = book_id",
        ),  # a foreign key holds
        ("SELECT title FROM book ORDER BY id DESC", "SELECT title FROM book ORDER BY 0 - id"),
        (
            "SELECT title FROM book ORDER BY pages DESC LIMIT 1",
            "SELECT title FROM book WHERE pages = (SELECT MAX(pages) FROM book)",
        ),
        ("SELECT title FROM book ORDER BY author", "SELECT title FROM book ORDER BY author, title"),  # among ties
        (
            "SELECT author, COUNT(*) FROM book GROUP BY author",
            "SELECT author, COUNT(1) AS n FROM book GROUP BY 1 ORDER BY n",
        ),
        ("SELECT AVG(pages) FROM book", "SELECT SUM(pages) * 1.0 / COUNT(pages) FROM book"),
    ],
)
def test_another_way_to_the_same_rows_is_right(gold: str, prediction: str) -> None:
    outcome = judge(LOANS, gold, prediction)
    assert (outcome.execution, outcome.caseless, outcome.valid, outcome.error) == (True, True, True, None)


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("SELECT title FROM book WHERE author = 'Iris Moor'", "SELECT title FROM book WHERE author = 'Iris Moo'"),
        ("SELECT title FROM book WHERE pages > 500", "SELECT title FROM book WHERE pages >= 500"),
        (
            "SELECT title FROM book WHERE pages BETWEEN 100 AND 200",
            "SELECT title FROM book WHERE pages > 100 AND pages < 200",
        ),
        ("SELECT DISTINCT author FROM book", "SELECT author FROM book"),
        ("SELECT title, author FROM book", "SELECT author, title FROM book"),
        ("SELECT title FROM book", "SELECT title, title FROM book"),
        ("SELECT title FROM book ORDER BY pages", "SELECT title FROM book"),
        ("SELECT title FROM book ORDER BY pages", "SELECT title FROM book ORDER BY pages DESC"),
        ("SELECT title FROM book ORDER BY pages DESC LIMIT 3", "SELECT title FROM book ORDER BY pages DESC LIMIT 4"),
        ("SELECT COUNT(returned) FROM loan", "SELECT COUNT(*) FROM loan"),
        ("SELECT lent_on FROM loan WHERE returned IS NULL", "SELECT lent_on FROM loan WHERE returned IS NOT NULL"),
        (
            "SELECT lent_on FROM loan WHERE lent_on >= '2023-01-01'",
            "SELECT lent_on FROM loan WHERE lent_on > '2023-01-01'",
        ),
        (
            "SELECT COUNT(*) FROM loan WHERE strftime('%Y', lent_on) = '2021'",
            "SELECT COUNT(*) FROM loan WHERE strftime('%Y', lent_on) = '2022'",
        ),
        (
            "SELECT COUNT(*) FROM loan WHERE strftime('%Y-%m', lent_on) = '2024-03'",
            "SELECT COUNT(*) FROM loan WHERE strftime('%m', lent_on) = '03'",
        ),
        ("SELECT title FROM book WHERE title LIKE '%river%'", "SELECT title FROM book WHERE title LIKE 'river%'"),
        (
            "SELECT author FROM book GROUP BY author HAVING COUNT(*) > 5",
            "SELECT author FROM book GROUP BY author HAVING COUNT(*) > 6",
        ),
        ("SELECT author FROM book GROUP BY author HAVING COUNT(*) > 30", "SELECT author FROM book GROUP BY author"),
        ("SELECT author FROM book GROUP BY author HAVING AVG(pages) > 100000", "SELECT author FROM book"),
        # NOT IN is never true of NULL, EXCEPT is
        (
            "SELECT id FROM book WHERE pages NOT IN (7)",
            "SELECT id FROM book EXCEPT SELECT id FROM book WHERE pages = 7",
        ),
        ("SELECT MAX(pages) FROM book WHERE author = 'Iris'", "SELECT MAX(pages) FROM book"),
        ("SELECT title FROM book WHERE id NOT IN (SELECT book_id FROM loan)", "SELECT title FROM book"),
        (
            "SELECT title FROM book LEFT JOIN loan ON book_id = book.id",
            "SELECT title FROM book JOIN loan ON book_id = book.id",
        ),
    ],
)
def test_other_rows_are_wrong(gold: str, prediction: str) -> None:
    outcome = judge(LOANS, gold, prediction)
    assert (outcome.execution, outcome.valid, outcome.obstacle) == (False, True, None)


def test_an_answer_that_does_not_run_is_wrong_and_says_why() -> None:
    for prediction, reason in [
        ("", "no query"),
        ("SELECT isbn FROM book", "isbn"),
        ("SELECT title FROM books", "books"),
        ("I do not know", "syntax"),
    ]:
        outcome = judge(LOANS, "SELECT title FROM book", prediction)
        assert (outcome.valid, outcome.execution, outcome.caseless) == (False, False, False)
        assert reason in (outcome.error or "")


def test_case_of_text_is_told_apart_and_can_be_overlooked() -> None:
    gold = "SELECT title FROM book WHERE author = 'iris moor' ORDER BY title"
    outcome = judge(LOANS, gold, "SELECT title FROM book WHERE author = 'Iris Moor' ORDER BY title")
    assert (outcome.execution, outcome.caseless) == (False, True)
    outcome = judge(LOANS, gold, "SELECT title FROM book WHERE author = 'Iris More' ORDER BY title")
    assert (outcome.execution, outcome.caseless) == (False, False)


@pytest.mark.parametrize(
    ("gold", "obstacle"),
    [
        ("SELECT isbn FROM book", "gold_fails"),
        ("SELECT title FROM book WHERE 1 = 2", "gold_empty"),
        ("SELECT COUNT(*) FROM book WHERE pages > 3 AND pages < 2", "gold_empty"),
        ("SELECT title FROM book LIMIT 3", "gold_arbitrary"),
        ("SELECT COUNT(*), id FROM book", "gold_arbitrary"),
    ],
)
def test_a_gold_that_tells_nothing_is_not_judged_by(gold: str, obstacle: str) -> None:
    outcome = judge(LOANS, gold, gold)
    assert (outcome.execution, outcome.caseless, outcome.obstacle) == (None, None, obstacle)


def test_a_context_that_is_no_schema_is_not_judged_by() -> None:
    for context in ("", "people, places", "CREATE TABLE (", "DROP TABLE t", "(" * 3000):
        outcome = judge(context, "SELECT 1", "SELECT 1")
        assert (outcome.execution, outcome.valid, outcome.obstacle) == (None, None, "schema_unreadable")


def test_one_table_defined_twice_has_the_columns_of_both() -> None:
    context = "CREATE TABLE Savings (custid VARCHAR); CREATE TABLE SAVINGS (balance INTEGER, CustID VARCHAR)"
    assert list(read_schema(context, "mysql").tables["savings"]) == ["custid", "balance"]
    assert accepted(
        "SELECT custid FROM savings WHERE balance > 10",
        "SELECT CUSTID FROM Savings WHERE balance > 10",
        context,
        "mysql",
    )


def test_double_quotes_are_text_in_mysql_and_names_in_postgres() -> None:
    context = "CREATE TABLE game (opponent VARCHAR, score VARCHAR)"
    assert accepted(
        'SELECT score FROM game WHERE opponent = "opponent"',
        "SELECT score FROM game WHERE opponent = 'opponent'",
        context,
        "mysql",
    )
    assert not accepted(
        "SELECT score FROM game WHERE opponent = 'ajax'",
        'SELECT score FROM game WHERE opponent = "opponent"',
        context,
        "postgres",
    )
    unknown = judge(context, "SELECT score FROM game", 'SELECT "scor" FROM game', "postgres")
    assert "no such column" in (unknown.error or "")


def test_numbers_in_text_columns_compare_as_numbers() -> None:
    context = "CREATE TABLE singer (name VARCHAR, age VARCHAR)"
    assert accepted(
        "SELECT name FROM singer WHERE age = 20", 'SELECT name FROM singer WHERE age = "20"', context, "mysql"
    )
    assert not accepted(
        "SELECT name FROM singer WHERE age > 9", "SELECT name FROM singer WHERE age > 10", context, "mysql"
    )


def test_rows_that_tie_may_come_in_any_order_even_when_a_join_is_turned_round() -> None:
    gold = "SELECT lent_on FROM loan JOIN book ON book_id = book.id ORDER BY author"
    assert accepted(gold, "SELECT lent_on FROM book JOIN loan ON book_id = book.id ORDER BY author")
    assert not accepted(gold, "SELECT lent_on FROM book JOIN loan ON book_id = book.id ORDER BY title")


def test_rows_are_the_same_in_every_process_and_keys_hold() -> None:
    schema = read_schema(LOANS, "sqlite")
    facts = query_facts(parse_query("SELECT title FROM book WHERE id = 3 AND author = 'Iris'", "sqlite"), schema)
    for seed in range(20):
        book, loan = make_database(schema, facts, seed)
        assert (book, loan) == make_database(schema, facts, seed)
        ids = [row[0] for row in book.rows]
        assert len(set(ids)) == len(ids) > 0
        assert {row[1] for row in loan.rows} <= set(ids)
        assert None not in ids
    assert make_database(schema, facts, 1) != make_database(schema, facts, 4)


def test_stored_orders_hold_the_same_rows() -> None:
    schema = read_schema(LOANS, "sqlite")
    database = make_database(schema, query_facts(None, schema), 2)
    orders = storage_orders(database, 4)
    assert len({order[0].rows for order in orders}) == 4
    assert all(sorted(order[0].rows, key=repr) == sorted(database[0].rows, key=repr) for order in orders)


NAMES = st.sampled_from(["a", "b", "date", "Rank", "käse", "year", "total_1"])
TYPES = st.sampled_from(["VARCHAR", "INTEGER", "TEXT", "REAL", "DATE"])
CONSTANTS = st.one_of(
    st.integers(-5, 5000).map(str),
    st.text(alphabet="ab'%ö 1", max_size=6).map(lambda text: "'" + text.replace("'", "''") + "'"),
)


@st.composite
def schemas_and_queries(draw: st.DrawFn) -> tuple[str, str]:
    columns = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower))
    context = f"CREATE TABLE t ({', '.join(f'{name} {draw(TYPES)}' for name in columns)})"
    conditions = draw(
        st.lists(
            st.tuples(st.sampled_from(columns), st.sampled_from(["=", "<>", "<", ">=", "LIKE"]), CONSTANTS), max_size=3
        )
    )
    shown = draw(
        st.sampled_from(
            [columns[0], ", ".join(columns), "COUNT(*)", f"MAX({columns[-1]})", f"DISTINCT {columns[0]}", "*"]
        )
    )
    query = f"SELECT {shown} FROM t"
    if conditions:
        query += " WHERE " + draw(st.sampled_from([" AND ", " OR "])).join(
            " ".join(condition) for condition in conditions
        )
    if "(" not in shown and draw(st.booleans()):
        query += f" ORDER BY {columns[0]}"
    return context, query


@settings(max_examples=60, deadline=None)
@given(schemas_and_queries())
def test_a_query_and_its_rewrites_answer_like_itself(made: tuple[str, str]) -> None:
    context, query = made
    own = judge(context, query, query, databases=2)
    assert own.valid, own.error
    assert own.obstacle in (None, "gold_empty")
    if own.obstacle:
        return
    assert own.execution
    assert own.caseless
    for kind, text in rewrites(query, "sqlite"):
        if kind != "quoted number":  # in a column that holds text, '5' and 5 may order differently
            outcome = judge(context, query, text, databases=2)
            assert outcome.execution, (kind, text)


@settings(max_examples=30, deadline=None)
@given(schemas_and_queries(), st.integers(0, 2**31))
def test_a_verdict_does_not_depend_on_the_order_of_judging(made: tuple[str, str], seed: int) -> None:
    context, query = made
    others = [query, f"SELECT 1 FROM ({query}) AS q", query.replace("SELECT", "SELECT DISTINCT", 1)]
    there = [judge(context, query, other, databases=2) for other in others]
    mixed: Sequence[int] = random.Random(seed).sample(range(3), 3)
    assert [judge(context, query, others[i], databases=2) for i in mixed] == [there[i] for i in mixed]


def test_the_sql_that_sqlglot_cannot_read_is_run_as_it_stands() -> None:
    gold = "SELECT title FROM book WHERE author = 'Iris'"
    odd = "SELECT title FROM book WHERE author IS 'Iris' AND title NOTNULL OR author == 'Iris'"
    assert judge(LOANS, gold, odd, "mysql").valid
    with pytest.raises(sqlglot.errors.ParseError):
        sqlglot.parse_one("SELECT title FROM book WHERE (((", read="mysql")
    assert "incomplete" in (judge(LOANS, gold, "SELECT title FROM book WHERE (((", "mysql").error or "")
