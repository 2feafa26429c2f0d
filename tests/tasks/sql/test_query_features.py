import pytest

from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.query_features import SeenTables, query_features, question_length


@pytest.mark.parametrize(
    ("query", "tables", "joins", "aggregates", "nesting"),
    [
        ("SELECT a FROM t", "1", "0", "none", "flat"),
        ("SELECT COUNT(*) FROM t AS x JOIN u ON x.a = u.a", "2", "1", "aggregate", "flat"),
        ("SELECT b, MAX(a) FROM t, u, v WHERE t.a = u.a GROUP BY b", "3 or more", "2 or more", "grouped", "flat"),
        ("SELECT a FROM t WHERE a IN (SELECT a FROM T)", "1", "0", "none", "subquery"),
        ("SELECT a FROM t UNION SELECT a FROM u", "2", "0", "none", "set operation"),
        ("WITH q AS (SELECT a FROM t) SELECT a FROM q", "1", "0", "none", "subquery"),
    ],
)
def test_features_of_a_query(query: str, tables: str, joins: str, aggregates: str, nesting: str) -> None:
    found = query_features(parse_query(query, "sqlite"))
    assert found == {"tables": tables, "joins": joins, "aggregates": aggregates, "nesting": nesting}


def test_nothing_is_known_of_what_is_no_query() -> None:
    assert query_features(None) == query_features(parse_query("DROP TABLE t", "sqlite")) == {}


def test_length_of_a_question() -> None:
    lengths = [question_length(" ".join(["word"] * count)) for count in (0, 10, 11, 15, 16)]
    assert lengths == ["up to 10 words"] * 2 + ["11 to 15 words"] * 2 + ["over 15 words"]


def test_a_table_is_seen_by_its_name_and_columns_not_by_its_name_alone() -> None:
    seen = SeenTables(
        ["CREATE TABLE a (x INT, y VARCHAR(3)); CREATE TABLE b (z TEXT DEFAULT ')')", 'create table "c" (\n k int\n)']
    )
    assert seen.share("create table A (X int,  y varchar(3))") == "all tables seen"
    assert seen.share("CREATE TABLE b (z TEXT DEFAULT ')'); CREATE TABLE c ( k int )") == "all tables seen"
    assert seen.share("CREATE TABLE a (x INT, y VARCHAR(3)); CREATE TABLE d (x INT)") == "some tables seen"
    assert seen.share("CREATE TABLE a (x INT)") == "no table seen"
    assert SeenTables([]).share("nonsense") == "no table seen"
