"""Rules of the field, as options; and agreement with another implementation of Spider's."""

import json
import random
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluator_agreement import LIKE_SPIDER, measure_agreement
from benchmarks.spider_rules import SPIDER, GoldFailed, SpiderRules, accepts, reason
from finetune_flows.tasks.sql.compare import OURS, Rules, same_rows
from finetune_flows.tasks.sql.judging import SqlPair, judge_pair
from tests import ROOT

EXAMPLES = ROOT / "examples" / "text-to-sql" / "rows.jsonl"
CONTEXT = "CREATE TABLE city (name TEXT, country TEXT, people INTEGER)"
PERMUTED, NO_DISTINCT, SETS = Rules(permute_columns=True), Rules(keep_distinct=False), Rules(as_sets=True)


@pytest.mark.parametrize(
    ("gold", "prediction", "accepted_by"),
    [
        ("SELECT name, people FROM city", "SELECT people, name FROM city", {PERMUTED}),
        ("SELECT name, people FROM city", "SELECT people, people FROM city", set()),
        ("SELECT name, people FROM city ORDER BY people", "SELECT people, name FROM city ORDER BY people", {PERMUTED}),
        ("SELECT name, people FROM city ORDER BY people", "SELECT people, name FROM city ORDER BY name", set()),
        ("SELECT DISTINCT country FROM city", "SELECT country FROM city", {NO_DISTINCT, SETS}),
        ("SELECT COUNT(DISTINCT country) FROM city", "SELECT COUNT(country) FROM city", {NO_DISTINCT}),
        ("SELECT name FROM city ORDER BY people", "SELECT name FROM city ORDER BY people DESC", {SETS}),
        ("SELECT name FROM city WHERE people > 9", "SELECT name FROM city WHERE people > 10", set()),
    ],
)
@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_each_rule_forgives_what_it_should(gold: str, prediction: str, accepted_by: set[Rules], dialect: str) -> None:
    for rules in (OURS, PERMUTED, NO_DISTINCT, SETS):
        outcome = judge_pair(SqlPair(CONTEXT, gold, prediction, dialect, 3, rules))
        assert outcome.execution is (rules in accepted_by), rules


CELLS = st.sampled_from([0, 1, "a", None])
TABLES = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=5))


@settings(deadline=None)
@given(TABLES, st.randoms(use_true_random=False), st.booleans())
def test_columns_are_found_in_whatever_order_they_come(
    rows: list[tuple[object, ...]], rng: random.Random, listed: bool
) -> None:
    order = rng.sample(range(len(rows[0])), len(rows[0]))
    permuted = [tuple(row[i] for i in order) for row in rows]
    blocks = list(range(1, len(rows) + 1)) if listed else []
    assert same_rows(rows, permuted, blocks, PERMUTED)
    changed = [*permuted[:-1], (*permuted[-1][:-1], "another")]
    assert not same_rows(rows, changed, blocks, PERMUTED)


def test_many_equal_columns_take_no_time() -> None:
    gold, rows = [tuple(range(2)) * 20] * 5, [(1, 0) * 20] * 5
    assert same_rows(gold, rows, (), PERMUTED)
    assert not same_rows(gold, [(1, 1) + (1, 0) * 19] * 5, (), PERMUTED)


def database(*rows: tuple[object, ...]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a, b)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    return connection


def test_spiders_rules_by_the_letter() -> None:
    there = [[database((1, "x"), (1, "y"), (2, "x"))]]
    assert accepts("SELECT a, b FROM t", "SELECT b, a FROM t", there)
    assert accepts("SELECT DISTINCT a FROM t", "SELECT a FROM t", there)
    assert not accepts("SELECT DISTINCT a FROM t", "SELECT a FROM t", there, SpiderRules(keep_distinct=True))
    assert accepts("SELECT 1", "SELECT 1.0", there)
    assert not accepts("SELECT 1", "SELECT '1'", there)
    assert not accepts("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC", there)
    assert not accepts(
        "SELECT a FROM t WHERE a IN (SELECT a FROM t ORDER BY a)", "SELECT a FROM t ORDER BY a DESC", there
    )
    assert accepts("SELECT a FROM t WHERE a > 5", "SELECT b FROM t WHERE a > 6", there)  # two empty results
    assert not accepts("SELECT a FROM t", "SELECT nothing FROM t", there)
    with pytest.raises(GoldFailed):
        accepts("SELECT nothing FROM t", "SELECT a FROM t", there)


def test_a_disagreement_is_explained_by_the_rule_that_makes_it() -> None:
    there = [[database((1, "x"), (1, "y"), (2, "x")), database((2, "x"), (1, "y"), (1, "x"))]]
    for gold, prediction, ours, why in [
        ("SELECT a, b FROM t", "SELECT b, a FROM t", False, "columns in the gold's order"),
        ("SELECT DISTINCT a FROM t", "SELECT a FROM t", False, "DISTINCT counts"),
        ("SELECT b FROM t ORDER BY a", "SELECT b FROM t ORDER BY a, b DESC", True, "rows that tie may come in any order"),
        ("SELECT a FROM t WHERE a IN (SELECT a FROM t ORDER BY a)", "SELECT a FROM t ORDER BY a DESC", True,
         "order counts where the outermost query orders"),
        ("SELECT a FROM t WHERE a = 1", "SELECT a FROM t", True, None),
    ]:  # fmt: skip
        assert reason(gold, prediction, there, ours, SPIDER) == why


def test_our_judge_and_spiders_rules_agree_but_where_a_rule_of_ours_says_otherwise() -> None:
    rows = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    sample = random.Random(7).sample(rows, 12)
    found = measure_agreement(sample, "sqlite", databases=3)
    assert found.pairs > 120
    assert found.unexplained == []
    assert found.agree / found.pairs > 0.95
    likened = measure_agreement(sample, "sqlite", databases=3, rules=LIKE_SPIDER)
    assert likened.unexplained == []
    assert likened.agree > found.agree
    assert likened.agree / likened.pairs > 0.99
