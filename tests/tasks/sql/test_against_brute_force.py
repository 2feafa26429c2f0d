"""The judge against brute force: both queries in the real engine, on 200 databases that know nothing of how ours are made."""

import random
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import duckdb
import sqlglot
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from benchmarks.sql_mutants import mutants, rewrites
from finetune_flows.tasks.sql.engines import open_session
from finetune_flows.tasks.sql.generator.databases import make_database
from finetune_flows.tasks.sql.generator.query_facts import query_facts
from finetune_flows.tasks.sql.judging import SqlPair, judge_pair
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.schema import read_schema
from tests.tasks.sql.sql_queries import Made, made

DATABASES = 200
Execute = Callable[..., Any]
CONNECT: dict[str, Callable[[], Any]] = {"sqlite": lambda: sqlite3.connect(":memory:"), "duckdb": duckdb.connect}


def constants(*queries: str) -> list[Any]:
    """What the queries name, and what lies next to it."""
    found: list[Any] = []
    for query in queries:
        for literal in sqlglot.parse_one(query, read="duckdb").find_all(exp.Literal):
            number = None if literal.is_string else int(literal.name)
            found += [literal.name, literal.name + "a"] if number is None else [number - 1, number, number + 1]
    return found


def value(kind: str, known: list[Any], rng: random.Random) -> Any:
    if rng.random() < 0.15:
        return None
    if kind == "DATE":
        dates = [each for each in known if isinstance(each, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", each)]
        day = date.fromisoformat(rng.choice(dates)) if dates and rng.random() < 0.7 else date(2020, 1, 1)
        return (day + timedelta(rng.choice((0, 0, 1, -1, 400)))).isoformat() if day.year < 9000 else day.isoformat()
    if kind in ("INTEGER", "INT", "REAL", "FLOAT", "DOUBLE"):
        numbers = [each for each in known if isinstance(each, int)]
        return rng.choice(numbers) if numbers and rng.random() < 0.7 else rng.randint(-3, 9)
    texts = [each for each in known if isinstance(each, str) and len(each) <= 20]
    return rng.choice(texts) if texts and rng.random() < 0.7 else rng.choice(("a", "b", "ab", "A", ""))


def fill(execute: Execute, case: Made, known: list[Any], rng: random.Random) -> None:
    """Rows of both tables; the child's parent_id names a parent or is NULL."""
    parents: list[int] = []
    for table in case.tables:
        name, columns = table.this.this.name, table.this.expressions
        execute(f'DELETE FROM "{name}"')
        ids = rng.sample(range(1, 9), rng.randint(0, 6))
        rows = [_row(table, number, parents, known, rng) for number in ids]
        if rows:
            places = f"({', '.join('?' * len(columns))})"
            execute(
                f'INSERT INTO "{name}" VALUES {", ".join([places] * len(rows))}', [cell for row in rows for cell in row]
            )
        parents = parents or ids


def _row(table: exp.Expr, number: int, parents: list[int], known: list[Any], rng: random.Random) -> list[Any]:
    keys = {"id": number, "parent_id": rng.choice([*parents, None])}
    kinds = {column.name: column.args["kind"].sql() for column in table.this.expressions}
    return [keys[name] if name in keys else value(kind, known, rng) for name, kind in kinds.items()]


def bag(rows: list[Any]) -> Counter[Any]:
    return Counter(tuple(round(cell, 6) if isinstance(cell, float) else cell for cell in row) for row in rows)


def differences(case: Made, predictions: list[str], dialect: str) -> dict[str, tuple[Counter[Any], Counter[Any]]]:
    """By prediction: what the gold and it return on the first database where that is not the same."""
    gold, rng = case.gold(dialect), random.Random(7)
    known = constants(gold, *predictions)
    found: dict[str, tuple[Counter[Any], Counter[Any]]] = {}
    with closing(CONNECT[dialect]()) as connection:
        for statement in case.context(dialect).split(";"):
            connection.execute(re.sub(r"REFERENCES.*?\)", "", statement))  # DuckDB would not let rows go
        for _ in range(DATABASES):
            fill(connection.execute, case, known, rng)
            expected = bag(connection.execute(gold).fetchall())
            for prediction in predictions:
                if prediction not in found and (rows := bag(connection.execute(prediction).fetchall())) != expected:
                    found[prediction] = expected, rows
    return found


def shows_a_difference(pair: SqlPair, seed: int) -> bool:
    """Whether the queries return different rows on made-up database number `seed`."""
    schema, queries = (
        read_schema(pair.context, pair.dialect),
        [Query(text, pair.dialect) for text in (pair.gold, pair.prediction)],
    )
    filled = schema.needed_by(*(query.tree for query in queries))
    database = make_database(filled, query_facts(queries[0].tree, filled, queries[1].tree), seed)
    with closing(open_session(schema, None)[0]) as session:
        session.load(database)
        gold, predicted = (session.run(query) for query in queries)
    return bag(gold) != bag(predicted) or gold != predicted


def check(case: Made, rng: random.Random, dialect: str) -> None:
    gold, context = case.gold(dialect), case.context(dialect)
    assume(not case.query.find(exp.Limit))  # of rows that tie it takes any
    columns = [column.name for table in case.tables for column in table.this.expressions]
    changes = [*mutants(gold, dialect, columns, rng, 2), *rewrites(gold, dialect)[:1]]
    outcomes = {text: judge_pair(SqlPair(context, gold, text, dialect, 5)) for _, text in changes}
    judged = {text: outcome for text, outcome in outcomes.items() if outcome.valid and not outcome.obstacle}
    assume(judged)
    by_force = differences(case, list(judged), dialect)
    for text, outcome in judged.items():
        if text in by_force:
            assert outcome.execution is False, (context, gold, text, by_force[text])
        if outcome.execution is False:
            assert outcome.telling is not None
            seed, pair = outcome.telling["database"], SqlPair(context, gold, text, dialect, 5)
            assert outcome.telling["error"] or shows_a_difference(pair, seed), pair


few = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # making a failing example smaller takes minutes
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@settings(few, max_examples=15)
@given(case=made(), rng=st.randoms(use_true_random=False))
def test_the_verdict_in_sqlite_is_that_of_200_databases(case: Made, rng: random.Random) -> None:
    check(case, rng, "sqlite")


@settings(few, max_examples=6)
@given(case=made(), rng=st.randoms(use_true_random=False))
def test_the_verdict_in_duckdb_is_that_of_200_databases(case: Made, rng: random.Random) -> None:
    check(case, rng, "duckdb")
