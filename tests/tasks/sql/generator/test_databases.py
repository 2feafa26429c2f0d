"""Made-up databases: their values fit their columns, keys hold, NULLs are there, and what matters to a query is in them."""

import datetime
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.sql.column_types import ColumnType
from finetune_flows.tasks.sql.generator.databases import Database, make_database
from finetune_flows.tasks.sql.generator.query_facts import query_facts
from finetune_flows.tasks.sql.generator.values import Value, fitted
from finetune_flows.tasks.sql.judging import SqlPair, judge_pair
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.schema import Schema, read_schema

NOW = datetime.datetime(2024, 3, 31, 15, 0)
TYPES = {
    "sqlite": ["INTEGER", "REAL", "NUMERIC", "TEXT", "BOOLEAN", "DATE", "DATETIME", "VARCHAR(3)", "BLOB", "JSON"],
    "mysql": ["INT", "TINYINT(1)", "TINYINT", "BIGINT UNSIGNED", "DECIMAL(5,2)", "DECIMAL", "DOUBLE", "YEAR", "DATE",
              "DATETIME", "TIME", "VARCHAR(9)", "ENUM('S','M','L')", "BIT(1)", "JSON"],
    "postgres": ["SMALLINT", "BIGSERIAL", "NUMERIC(6,3)", "NUMERIC", "BOOLEAN", "DATE", "TIMESTAMPTZ", "TIME", "CHAR(2)",
                 "INTERVAL", "UUID", "BYTEA", "JSONB", "TEXT[]", "INT[]", "mood"],
    "duckdb": ["HUGEINT", "UTINYINT", "DECIMAL(4,1)", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP", "VARCHAR", "INTEGER[]",
               "STRUCT(a INTEGER, b VARCHAR)", "mood"],
}  # fmt: skip
NEVER_KEYS = ("JSON", "[]", "STRUCT", "BOOL", "TINYINT(1)", "BIT", "ENUM", "mood", "BLOB", "BYTEA", "INTERVAL", "TIME")
CONDITIONS = [
    "{c} = 5", "{c} > 2.5", "{c} <= -1", "{c} = 'S'", "{c} LIKE '%a!_b%' ESCAPE '!'", "{c} BETWEEN '2024-01-31' AND '2024-02-29'",
    "{c} IS NULL", "{c} IN (1, 2)", "LOWER({c}) = 'turin'", "ABS({c}) > 3", "{c} > CURRENT_DATE", "NOT {c}", "{c} = '50%'",
    "EXTRACT(MONTH FROM {c}) = 2", "CAST({c} AS INTEGER) = 7", "LENGTH({c}) = 3",
]  # fmt: skip


@st.composite
def contexts(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    """A dialect, its schema of a parent and a child with keys, and the columns of the parent."""
    dialect = draw(st.sampled_from(sorted(TYPES)))
    types = draw(st.lists(st.sampled_from(TYPES[dialect]), min_size=1, max_size=4))
    columns = []
    for i, name in enumerate(types):
        keyed = not any(word in name for word in NEVER_KEYS)
        columns.append(f"c{i} {name}{draw(st.sampled_from(['', ' NOT NULL', *([' UNIQUE'] if keyed else [])]))}")
    parent = f"CREATE TABLE parent (id INTEGER PRIMARY KEY, {', '.join(columns)})"
    child = "CREATE TABLE child (a INTEGER, b INTEGER, p INTEGER NOT NULL REFERENCES parent (id), PRIMARY KEY (a, b))"
    leaf = "CREATE TABLE leaf (a INTEGER NOT NULL, b INTEGER, n INTEGER CHECK (n > 3), FOREIGN KEY (a, b) REFERENCES child (a, b))"
    enum = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); " if "mood" in types else ""
    return dialect, f"{enum}{parent}; {child}; {leaf}", [f"c{i}" for i in range(len(types))]


@settings(max_examples=60, deadline=None)
@given(contexts(), st.data(), st.integers(0, 5))
def test_values_fit_their_columns_and_keys_hold(
    made: tuple[str, str, list[str]], data: st.DataObject, seed: int
) -> None:
    dialect, context, columns = made
    schema = read_schema(context, dialect)
    conditions = [data.draw(st.sampled_from(CONDITIONS)).format(c=data.draw(st.sampled_from(columns))) for _ in "ab"]
    gold, prediction = (parse_query(f"SELECT id FROM parent WHERE {c}", dialect) for c in conditions)
    database = make_database(schema, query_facts(gold, schema, prediction, NOW), seed)
    for table in database:
        assert table.rows
        for j, column in enumerate(schema.tables[table.name].values()):
            values = [row[j] for row in table.rows]
            present = [value for value in values if value is not None]
            assert len(present) == len(values) or not column.required
            assert len({repr(value) for value in present}) == len(present) or not column.unique
            if dialect != "sqlite":  # there, a column that is compared with text may hold text
                assert all(fits(value, column.type) for value in present), (column, present)
    parent, child, leaf = database
    ids, pairs = {row[0] for row in parent.rows}, [row[:2] for row in child.rows]
    assert {row[2] for row in child.rows} <= ids
    assert len(set(pairs)) == len(pairs)
    assert {row[:2] for row in leaf.rows if row[1] is not None} <= set(pairs)
    assert all(row[2] is None or row[2] > 3 for row in leaf.rows)


def fits(value: Value, kind: ColumnType) -> bool:
    if kind.kind == "array" and kind.element:
        return isinstance(value, list) and all(fits(element, kind.element) for element in value)
    if kind.kind == "struct":
        return isinstance(value, dict) and all(fits(value[name], part) for name, part in kind.fields)
    plain = {
        "boolean": bool, "integer": int, "year": int, "float": float, "text": str, "enum": str, "date": datetime.date,
        "timestamp": datetime.datetime, "time": datetime.time,
    }.get(kind.kind, object)  # fmt: skip
    return isinstance(value, plain) and fitted(value, kind) == value


@settings(max_examples=40, deadline=None)
@given(contexts(), st.integers(0, 3))
def test_every_column_that_may_be_null_is_in_two_of_three_databases(
    made: tuple[str, str, list[str]], first: int
) -> None:
    dialect, context, _ = made
    schema = read_schema(context, dialect)
    facts = query_facts(None, schema)
    databases = [make_database(schema, facts, seed) for seed in range(first, first + 3)]
    for number, table in enumerate(databases[0]):
        for j, column in enumerate(schema.tables[table.name].values()):
            rows = [database[number].rows for database in databases]
            with_null = sum(any(row[j] is None for row in found) for found in rows)
            assert with_null == (0 if column.required else 2), (column, with_null)


SHOP = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, vip BOOLEAN, joined DATE); "
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), amount REAL, "
    "qty INTEGER, placed_at DATETIME, shipped DATE, status TEXT, discount REAL, code TEXT, meta TEXT)"
)


def shop(gold: str, prediction: str | None = None, databases: int = 5, dialect: str = "sqlite") -> Sequence[Database]:
    schema = read_schema(SHOP, dialect)
    trees = [parse_query(query, dialect) if query else None for query in (gold, prediction)]
    facts = query_facts(trees[0], schema, trees[1], NOW)
    return [make_database(schema, facts, seed) for seed in range(databases)]


def column(databases: Sequence[Database], table: int, name: str) -> list[Value]:
    schema: Schema = read_schema(SHOP, "sqlite")
    place = list(schema.tables[("customers", "orders")[table]]).index(name)
    return [row[place] for database in databases for row in database[table].rows if row[place] is not None]


def test_types_are_kept_whatever_the_query_computes() -> None:
    databases = shop("SELECT julianday('2024-06-30') - julianday(joined), vip + 1 FROM customers")
    assert all(isinstance(day, datetime.date) for day in column(databases, 0, "joined"))
    assert {True, False} == set(column(databases, 0, "vip"))
    amounts = column(databases, 1, "amount")
    assert any(amount != int(amount) for amount in amounts)
    moments = column(databases, 1, "placed_at")
    assert {datetime.time(0), datetime.time(23, 59, 59)} < {moment.time() for moment in moments}
    assert any((day + datetime.timedelta(days=1)).day == 1 for day in column(databases, 1, "shipped"))


def test_constants_of_the_prediction_are_near_too() -> None:
    databases = shop("SELECT id FROM orders WHERE amount > 40", "SELECT id FROM orders WHERE amount >= 61.5", 20)
    assert {40.0, 40.5, 39.5, 61.5, 62.0, 61.0, 61.49} <= set(column(databases, 1, "amount"))


def test_the_prediction_does_not_decide_what_a_text_holds() -> None:
    databases = shop("SELECT id FROM orders WHERE status = 'paid'", "SELECT id FROM orders WHERE status > 5")
    assert column(databases, 1, "status").count("paid") > 5


def test_dates_lie_around_now_when_a_query_reckons_from_it() -> None:
    databases = shop("SELECT id FROM orders WHERE placed_at >= date('now', '-7 days')")
    days = {moment.date() for moment in column(databases, 1, "placed_at")}
    assert {datetime.date(2024, 3, 23), datetime.date(2024, 3, 24)} <= days


APART = {
    "boolean": ("SELECT name FROM customers WHERE vip = TRUE", "SELECT name FROM customers WHERE vip = FALSE"),
    "not true": ("SELECT name FROM customers WHERE NOT vip", "SELECT name FROM customers WHERE vip IS NOT TRUE"),
    "rounding": ("SELECT id, ROUND(amount, 0) FROM orders", "SELECT id, amount FROM orders"),
    "between whole numbers": ("SELECT id FROM orders WHERE amount > 40", "SELECT id FROM orders WHERE amount >= 41"),
    "cast of a fraction": (
        "SELECT id, CAST(amount * 0.37 AS INT) FROM orders",
        "SELECT id, ROUND(amount * 0.37) FROM orders",
    ),
    "sign": ("SELECT ABS(qty) FROM orders", "SELECT qty FROM orders"),
    "time of day": (
        "SELECT id FROM orders WHERE DATE(placed_at) = '2024-03-31'",
        "SELECT id FROM orders WHERE placed_at = '2024-03-31'",
    ),
    "end of the month": (
        "SELECT id FROM orders WHERE placed_at < '2024-02-01'",
        "SELECT id FROM orders WHERE placed_at <= '2024-01-31'",
    ),
    "month and year": (
        "SELECT COUNT(*) FROM orders WHERE strftime('%Y-%m', placed_at) = '2023-11'",
        "SELECT COUNT(*) FROM orders WHERE strftime('%m', placed_at) = '11'",
    ),
    "distance": (
        "SELECT id FROM orders WHERE julianday(shipped) - julianday(DATE(placed_at)) > 14",
        "SELECT id FROM orders WHERE julianday(shipped) - julianday(DATE(placed_at)) >= 14",
    ),
    "null counted": ("SELECT COUNT(*) FROM orders WHERE status = 'paid'", "SELECT COUNT(qty) FROM orders WHERE status = 'paid'"),
    "one null first": (
        "SELECT name FROM customers ORDER BY joined LIMIT 1",
        "SELECT name FROM customers WHERE joined = (SELECT MIN(joined) FROM customers)",
    ),
    "null and empty": ("SELECT COUNT(NULLIF(city, '')) FROM customers", "SELECT COUNT(city) FROM customers"),
    "case": ("SELECT name FROM customers WHERE LOWER(city) = 'turin'", "SELECT name FROM customers WHERE city = 'turin'"),
    "spaces": ("SELECT name FROM customers WHERE TRIM(city) = 'turin'", "SELECT name FROM customers WHERE city = 'turin'"),
    "escape": ("SELECT id FROM orders WHERE status LIKE '50!%%' ESCAPE '!'", "SELECT id FROM orders WHERE status LIKE '50%'"),
    "number in a text": ("SELECT id FROM orders ORDER BY CAST(code AS INTEGER)", "SELECT id FROM orders ORDER BY code"),
    "length": ("SELECT name FROM customers WHERE LENGTH(name) > 6", "SELECT name FROM customers WHERE LENGTH(name) >= 6"),
    "document": (
        "SELECT id FROM orders WHERE json_extract(meta, '$.size') > 3",
        "SELECT id FROM orders WHERE json_extract(meta, '$.size') >= 3",
    ),
    "now": (
        "SELECT id FROM orders WHERE placed_at >= date('now', '-30 days')",
        "SELECT id FROM orders WHERE placed_at >= date('now', '-29 days')",
    ),
    "case of values": (
        "SELECT CASE status WHEN 'paid' THEN 1 ELSE 0 END FROM orders",
        "SELECT CASE status WHEN 'open' THEN 1 ELSE 0 END FROM orders",
    ),
    "no child": (
        "SELECT c.id, COUNT(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id",
        "SELECT c.id, COUNT(*) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", APART)
def test_queries_that_differ_are_told_apart(kind: str) -> None:
    gold, prediction = APART[kind]
    outcome = judge_pair(SqlPair(SHOP, gold, prediction, "sqlite", 5))
    assert (outcome.valid, outcome.execution, outcome.obstacle) == (True, False, None)


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("SELECT id FROM orders WHERE discount / amount > 0.1", "SELECT id FROM orders WHERE discount > 0.1 * amount"),
        ("SELECT SUM(amount) / COUNT(amount) FROM orders GROUP BY status", "SELECT AVG(amount) FROM orders GROUP BY status"),
        ("SELECT julianday('2024-06-30') - julianday(joined) FROM customers", "SELECT 0 - (julianday(joined) - julianday('2024-06-30')) FROM customers"),
    ],
)  # fmt: skip
def test_queries_that_mean_the_same_are_not(gold: str, prediction: str) -> None:
    outcome = judge_pair(SqlPair(SHOP, gold, prediction, "sqlite", 5))
    assert (outcome.valid, outcome.execution, outcome.obstacle) == (True, True, None)


def test_a_seed_gives_the_same_rows_in_every_process() -> None:
    program = (
        "from tests.tasks.sql.generator.test_databases import shop\n"
        "print(shop(\"SELECT id FROM orders WHERE LOWER(status) = 'paid' AND placed_at > date('now', '-7 days')\", "
        "\"SELECT id FROM orders WHERE TRIM(status) = 'open' AND qty IN (3, 9)\"))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert "paid" in printed.pop()
