"""What is wrong with a query, in words."""

import random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sql_mutants import mutants
from finetune_flows.tasks.sql.differences.clauses import differences
from finetune_flows.tasks.sql.differences.kinds import MOST_CHARACTERS, DifferenceKind
from finetune_flows.tasks.sql.normalise import normal_form
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.schema import read_schema

STAFF = (
    "CREATE TABLE emp (id INTEGER, name TEXT, age INTEGER); CREATE TABLE dept (no INTEGER, emp_id INTEGER, title TEXT)"
)
SCHEMA = read_schema(STAFF, "sqlite")
GOLD = "SELECT name FROM emp WHERE age > 5 AND name = 'Bob'"


def found(gold: str, prediction: str) -> list[tuple[str, str, str]]:
    forms = [normal_form(parse_query(query, "sqlite"), SCHEMA) for query in (gold, prediction)]
    assert forms[0] is not None
    assert forms[1] is not None
    return [(d["kind"], d["gold"], d["prediction"]) for d in differences(forms[0], forms[1])]


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ("SELECT name FROM emp WHERE name = 'Bob' AND 5 < age", []),
        ("SELECT name FROM emp WHERE age >= 5 AND name = 'Bob'", [("wrong operator", "age > 5", "age >= 5")]),
        ("SELECT name FROM emp WHERE age > 6 AND name = 'Bob'", [("wrong literal", "age > 5", "age > 6")]),
        ("SELECT name FROM emp WHERE age > 5 AND name = 'bob'", [("case of a literal", "name = 'Bob'", "name = 'bob'")]),
        ("SELECT name FROM emp WHERE id > 5 AND name = 'Bob'", [("wrong column", "age > 5", "id > 5")]),
        ("SELECT name FROM emp WHERE age > 5", [("missing condition", "name = 'Bob'", "")]),
        (GOLD + " AND id = 3", [("extra condition", "", "id = 3")]),
        ("SELECT name FROM emp WHERE age > 5 OR name = 'Bob'", [("wrong AND/OR", "5 < age AND name = 'Bob'", "5 < age OR name = 'Bob'")]),
        ("SELECT age FROM emp WHERE age > 5 AND name = 'Bob'", [("wrong column", "name", "age")]),
        ("SELECT MAX(name) FROM emp WHERE age > 5 AND name = 'Bob'", [("wrong aggregate", "name", "MAX(name)")]),
        ("SELECT DISTINCT name FROM emp WHERE age > 5 AND name = 'Bob'", [("wrong DISTINCT", "", "DISTINCT")]),
        (GOLD + " ORDER BY age DESC", [("wrong order", "", "age DESC")]),
        (GOLD + " LIMIT 3", [("wrong limit", "", "LIMIT 3")]),
        (GOLD + " GROUP BY name", [("wrong grouping", "", "name")]),
        ("SELECT name FROM emp WHERE age > 5 UNION SELECT name FROM emp WHERE name = 'Bob'", [
            ("wrong set operation", "", "UNION"), ("missing condition", "emp.name = 'Bob'", "")]),
        ("SELECT name FROM emp JOIN dept ON emp_id = id WHERE age > 5 AND name = 'Bob'", [
            ("extra table", "", "dept"), ("wrong join", "", "dept.emp_id = emp.id")]),
        ("SELECT name FROM emp WHERE id IN (SELECT emp_id FROM dept) AND name = 'Bob' AND age > 5", [
            ("wrong nesting", "1 SELECT", "2 SELECT"), ("extra condition", "", "emp.id IN (SELECT ...)")]),
    ],
)  # fmt: skip
def test_a_change_is_named_with_what_stood_there(prediction: str, expected: list[tuple[str, str, str]]) -> None:
    assert found(GOLD, prediction) == expected


@pytest.mark.parametrize(
    ("gold", "prediction", "expected"),
    [
        ("SELECT name, age FROM emp", "SELECT age, name FROM emp", ["order of columns"]),
        ("SELECT COUNT(DISTINCT name) FROM emp", "SELECT COUNT(name) FROM emp", ["wrong DISTINCT"]),
        ("SELECT name FROM emp LEFT JOIN dept ON id = emp_id", "SELECT name FROM emp, dept WHERE id = emp_id", ["wrong join"]),
        ("SELECT name FROM emp JOIN dept ON id = emp_id", "SELECT name FROM emp JOIN dept ON id = no", ["wrong join"]),
        ("SELECT title FROM dept", "SELECT name FROM emp", ["wrong table", "wrong column"]),
        ("SELECT name FROM emp UNION SELECT title FROM dept", "SELECT name FROM emp EXCEPT SELECT title FROM dept", ["wrong set operation"]),
        ("SELECT name FROM emp WHERE age > (SELECT AVG(age) FROM emp)", "SELECT name FROM emp WHERE age > (SELECT MAX(age) FROM emp)", ["wrong aggregate"]),
        ("SELECT name FROM emp WHERE id NOT IN (1, 2)", "SELECT name FROM emp WHERE id IN (1, 2)", ["wrong operator"]),
        ("SELECT name FROM emp WHERE age = -1", "SELECT name FROM emp WHERE age = 1", ["wrong literal"]),
        ("SELECT name FROM emp GROUP BY name HAVING COUNT(*) > 2", "SELECT name FROM emp GROUP BY name HAVING COUNT(*) > 3", ["wrong literal"]),
    ],
)  # fmt: skip
def test_kinds_the_most_telling_first(gold: str, prediction: str, expected: list[str]) -> None:
    assert [kind for kind, _, _ in found(gold, prediction)] == expected


QUERIES = st.builds(
    "SELECT {} FROM emp JOIN dept ON id = emp_id WHERE {} ORDER BY {} LIMIT {}".format,
    st.sampled_from(["name", "DISTINCT title", "title, age"]),
    st.lists(st.sampled_from(["age > 3", "name = 'Bob'", "title LIKE '%x%'", "no <> 7"]), min_size=1, max_size=3, unique=True)
    .map(" AND ".join),
    st.sampled_from(["age", "age DESC"]),
    st.integers(1, 9),
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(QUERIES, st.integers(0, 999))
def test_every_single_change_is_noticed_and_told_in_few_words(query: str, seed: int) -> None:
    columns = ["id", "name", "age", "no", "emp_id", "title"]
    for kind, text in mutants(query, "sqlite", columns, random.Random(seed)):
        told = found(query, text)
        assert told, (kind, text)
        assert all(each in get_args(DifferenceKind) for each, _, _ in told)
        assert all(len(words) <= MOST_CHARACTERS for _, *both in told for words in both)
        assert told[0][0] != "otherwise", (kind, text)


def test_a_long_literal_is_cut() -> None:
    ((_, gold, prediction),) = found(GOLD, GOLD.replace("Bob", "B" * 5_000))
    assert gold == "name = 'Bob'"
    assert len(prediction) == MOST_CHARACTERS
