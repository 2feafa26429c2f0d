"""Which queries are one query in two spellings."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sql_mutants import mutants, rewrites
from finetune_flows.tasks.sql.normalise import normal_form
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.schema import read_schema

STAFF = "CREATE TABLE emp (id INTEGER, name TEXT, age INTEGER, boss INTEGER); CREATE TABLE dept (no INTEGER, emp_id INTEGER)"
SCHEMA = read_schema(STAFF, "sqlite")
COLUMNS = ["id", "name", "age", "boss", "no", "emp_id"]


def same(first: str, second: str) -> bool:
    one, other = (normal_form(parse_query(query, "sqlite"), SCHEMA) for query in (first, second))
    assert one is not None
    assert other is not None
    return bool(one == other)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("SELECT name FROM emp", "select e.NAME as who from EMP e"),
        ("SELECT name FROM emp WHERE age > 3", "SELECT name FROM emp WHERE ((3 < age))"),
        ("SELECT name FROM emp WHERE age = 3", "SELECT name FROM emp WHERE '3' = age"),
        ("SELECT name FROM emp WHERE age = 3 AND id = 1", "SELECT name FROM emp WHERE id = 1 AND age = 3"),
        ("SELECT name FROM emp WHERE age BETWEEN 1 AND 5", "SELECT name FROM emp WHERE age <= 5 AND age >= 1"),
        ("SELECT name FROM emp WHERE id IN (1, 2)", "SELECT name FROM emp WHERE id IN (2, 1)"),
        ('SELECT age FROM emp WHERE name = "Bob"', "SELECT age FROM emp WHERE name = 'Bob'"),
        ("SELECT name, COUNT(*) AS n FROM emp GROUP BY 1 ORDER BY n", "SELECT name, COUNT(1) FROM emp GROUP BY name ORDER BY COUNT(*) ASC"),
        ("SELECT name FROM emp JOIN dept ON id = emp_id", "SELECT e.name FROM emp e INNER JOIN dept d ON d.emp_id = e.id"),
        ("SELECT a.name FROM emp a JOIN emp b ON a.boss = b.id", "SELECT x.name FROM emp x JOIN emp y ON y.id = x.boss"),
        ("SELECT name FROM emp WHERE age > (SELECT AVG(age) FROM emp)", "SELECT e.name FROM emp e WHERE (SELECT AVG(f.age) FROM emp f) < e.age"),
        ("WITH q AS (SELECT age FROM emp) SELECT age FROM q", "WITH Q AS (SELECT emp.age FROM emp) SELECT q.age FROM q"),
    ],
)  # fmt: skip
def test_spelling_makes_no_difference(first: str, second: str) -> None:
    assert same(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("SELECT age FROM emp WHERE name = 'Bob'", "SELECT age FROM emp WHERE name = 'bob'"),
        ("SELECT a.name FROM emp a JOIN emp b ON a.boss = b.id", "SELECT b.name FROM emp a JOIN emp b ON a.boss = b.id"),
        ("SELECT a.name FROM emp a JOIN emp b ON a.boss = b.id", "SELECT a.name FROM emp a JOIN emp b ON b.boss = a.id"),
        ("SELECT name FROM emp e WHERE EXISTS (SELECT 1 FROM emp f WHERE f.boss = e.id)",
         "SELECT name FROM emp e WHERE EXISTS (SELECT 1 FROM emp f WHERE f.boss = f.id)"),
        ("SELECT age - boss FROM emp", "SELECT boss - age FROM emp"),
        ("SELECT name FROM emp WHERE id = 1 AND (age = 2 OR boss = 3)", "SELECT name FROM emp WHERE id = 1 AND age = 2 OR boss = 3"),
        ("SELECT name, age FROM emp", "SELECT age, name FROM emp"),
        ("SELECT name FROM emp UNION SELECT age FROM emp", "SELECT name FROM emp UNION ALL SELECT age FROM emp"),
        ("SELECT name FROM emp LEFT JOIN dept ON id = emp_id", "SELECT name FROM emp JOIN dept ON id = emp_id"),
        ("SELECT x FROM (SELECT age AS x, id AS y FROM emp)", "SELECT y FROM (SELECT age AS x, id AS y FROM emp)"),
    ],
)  # fmt: skip
def test_meaning_makes_one(first: str, second: str) -> None:
    assert not same(first, second)


def test_what_is_no_query_has_no_form() -> None:
    assert normal_form(None, SCHEMA) is None
    assert normal_form(parse_query("DROP TABLE emp", "sqlite"), SCHEMA) is None
    assert normal_form(parse_query("SELECT " + "(" * 400 + "1" + ")" * 400, "sqlite"), SCHEMA) is None


CONDITIONS = st.builds(
    "{} {} {}".format,
    st.sampled_from(["age", "id", "boss"]),
    st.sampled_from(["=", "<>", "<", ">="]),
    st.integers(0, 99),
)
QUERIES = st.builds(
    "SELECT {} FROM emp WHERE {}{}".format,
    st.sampled_from(["name", "name, age", "COUNT(*)", "MAX(age)", "DISTINCT name"]),
    st.lists(CONDITIONS, min_size=1, max_size=4, unique=True).flatmap(
        lambda conditions: st.sampled_from([" AND ", " OR "]).map(lambda word: word.join(conditions))
    ),
    st.sampled_from(["", " ORDER BY age", " ORDER BY age DESC LIMIT 3"]),
)


@settings(max_examples=60, deadline=None)
@given(QUERIES, st.integers(0, 999))
def test_rewrites_have_one_form_and_mutants_another(query: str, seed: int) -> None:
    for kind, text in rewrites(query, "sqlite"):
        assert kind == "double negation" or same(query, text), text
    for kind, text in mutants(query, "sqlite", COLUMNS, random.Random(seed)):
        assert not same(query, text), (kind, text)
