"""The judge on random schemas, queries and texts: what must hold of all of them."""

import json
import random
from dataclasses import asdict

import pytest
import sqlglot
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from benchmarks.sql_mutants import mutants, rewrites
from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair, judge_pair
from tests.tasks.sql.sql_queries import NAMES, Made, made

DIALECTS = ("sqlite", "mysql", "postgres", "duckdb")
RIGHT = (True, True, True, None)


def judge(context: str, gold: str, prediction: str, dialect: str = "sqlite") -> SqlOutcome:
    return judge_pair(SqlPair(context, gold, prediction, dialect, 2))


def not_refused(outcome: SqlOutcome) -> bool:
    """The prediction's own texts steer what is made up too, so the gold can be arbitrary beside one spelling only."""
    return short(outcome) == RIGHT or outcome.obstacle in ("gold_empty", "gold_arbitrary")


def short(outcome: SqlOutcome) -> tuple[bool | None, bool | None, bool | None, str | None]:
    return outcome.valid, outcome.execution, outcome.caseless, outcome.obstacle


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=40, deadline=None)
@given(case=made())
def test_a_gold_agrees_with_itself_and_its_rewrites_however_it_is_spelt(dialect: str, case: Made) -> None:
    context, gold = case.context(dialect), case.gold(dialect)
    own = judge(context, gold, gold, dialect)
    assume(not (own.error or "").startswith("Binder Error"))  # DuckDB adds up no texts
    assume(own.obstacle != "no_engine")  # without its server, a dialect is judged only where SQLite reads it alike
    assert own.valid, (gold, own)
    assert own.obstacle in (None, "gold_empty", "gold_arbitrary"), (gold, own)
    if own.obstacle:
        return
    assert short(own) == RIGHT, (gold, own)
    for kind, text in rewrites(gold, dialect):
        if kind != "quoted number":  # in a column that holds text, '5' and 5 may order differently
            assert not_refused(judge(context, gold, text, dialect)), (kind, gold, text)


@settings(max_examples=40, deadline=None)
@given(made())
def test_format_does_not_matter(case: Made) -> None:
    context, gold = case.context(), case.gold()
    if judge(context, gold, gold).obstacle:
        return
    tree = sqlglot.parse_one(gold, read="sqlite")
    for prediction in [
        tree.sql(dialect="sqlite", pretty=True, identify=True),
        tree.sql(dialect="sqlite", identify=True, normalize_functions="lower"),
        f"  /* the answer */ {gold} ;\n-- done\n",
    ]:
        assert not_refused(judge(context, gold, prediction)), prediction


@settings(max_examples=40, deadline=None)
@given(made(), st.randoms(use_true_random=False))
def test_the_same_pair_gets_the_same_outcome(case: Made, rng: random.Random) -> None:
    context, gold = case.context(), case.gold()
    changed = [text for _, text in mutants(gold, "sqlite", NAMES[:2], rng, 3)]
    outcomes = [judge(context, gold, text) for text in changed]
    assert [judge(context, gold, text) for text in reversed(changed)] == outcomes[::-1]


WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "parent",
        "child",
        "p",
        "*",
        "(",
        ")",
        ",",
        "'",
        '"',
        "`",
        "WHERE",
        "1",
        "=",
        "--",
        "/*",
        ";",
        "NULL",
        "CREATE",
        "TABLE",
        "WITH",
        "RECURSIVE",
        "AS",
        "ORDER",
        "BY",
        "LIMIT",
        "-1",
        "UNION",
        "CASE",
        "[",
        "$1",
        ":a",
        "?",
        "\x00",
        "\n",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join), st.characters().map(lambda c: c * 30_000)
)
CONTEXT = "CREATE TABLE parent (id INTEGER, name TEXT)"
GOLD = "SELECT name FROM parent WHERE id > 3"


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from(DIALECTS))
@example("", "0 UNION SELECT", "0 UNION SELECT", "sqlite")
@example("", "SELECT 1", "SELECT 1 UNION 0", "duckdb")
@example("+" * 30_000, "", "", "postgres")
def test_any_text_gets_an_outcome(context: str, gold: str, prediction: str, dialect: str) -> None:
    for pair in [(CONTEXT, GOLD, prediction), (CONTEXT, gold, prediction), (context, gold, prediction)]:
        outcome = judge(*pair, dialect)
        assert (outcome.execution is None) == (outcome.obstacle is not None)
        assert SqlOutcome(**json.loads(json.dumps(asdict(outcome)))).obstacle == outcome.obstacle
