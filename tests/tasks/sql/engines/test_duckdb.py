"""A schema in DuckDB: which rows a query finds."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.engines.contract import QueryFailed
from finetune_flows.tasks.sql.generator.databases import Database, Table
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.schema import read_schema

duckdb = pytest.importorskip("finetune_flows.tasks.sql.engines.duckdb")
ALL = Query("SELECT a FROM t ORDER BY a", "duckdb")


def rows(*values: int) -> Database:
    """A database of one table with one column."""
    return (Table("t", (("a", "NUMERIC"),), tuple((value,) for value in values)),)


@pytest.fixture
def session() -> Iterator["duckdb.DuckdbSession"]:
    schema = read_schema("CREATE TABLE t (a INTEGER CHECK (a * a < 100)); INSERT INTO nowhere VALUES (1)", "duckdb")
    with closing(duckdb.DuckdbSession(schema)) as opened:
        yield opened


def found(session: "duckdb.DuckdbSession") -> list[Row]:
    answer: list[Row] = session.run(ALL)
    return answer


def test_rows_replace_those_before(session: "duckdb.DuckdbSession") -> None:
    for values in [(1, 2), (3,), (4, 5)]:
        session.load(rows(*values))
        assert found(session) == [(value,) for value in values]


def test_rows_that_a_constraint_refuses_are_left_out_and_the_others_gone_with_the_next(
    session: "duckdb.DuckdbSession",
) -> None:
    session.load(rows(1, 50, 2))
    assert found(session) == [(1,), (2,)]
    session.load(rows(3))
    assert found(session) == [(3,)]


def test_the_rows_are_there_after_a_query_that_fails(session: "duckdb.DuckdbSession") -> None:
    session.load(rows(1, 2))
    with pytest.raises(QueryFailed, match="nope"):
        session.run(Query("SELECT nope FROM t", "duckdb"))
    assert found(session) == [(1,), (2,)]


def test_a_schema_leaves_nothing_for_the_next() -> None:
    with closing(duckdb.DuckdbSession(read_schema("CREATE TABLE t (a INTEGER)", "duckdb"))) as session:
        session.load(rows(1))
    other = duckdb.DuckdbSession(read_schema("CREATE TABLE u (a INTEGER)", "duckdb"))
    with closing(other), pytest.raises(QueryFailed, match="does not exist"):
        other.run(ALL)
