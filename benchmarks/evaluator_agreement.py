"""How often our judge and Spider's test-suite rules agree on the same databases, and which rule explains each difference."""

import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace

from benchmarks.evaluator_kill_rate import mutants_of
from benchmarks.spider_rules import SPIDER, GoldFailed, accepts, reason
from benchmarks.sql_mutants import rewrites
from finetune_flows.tasks.sql.compare import OURS, Rules
from finetune_flows.tasks.sql.generator.databases import fill, make_database, storage_orders
from finetune_flows.tasks.sql.generator.query_facts import query_facts
from finetune_flows.tasks.sql.judging import SqlPair
from finetune_flows.tasks.sql.query import parse_query, to_sqlite
from finetune_flows.tasks.sql.schema import read_schema
from finetune_flows.tasks.sql.trial import MOST_TRIES
from finetune_flows.tasks.sql.workers import SqlWorkers

STORAGE_ORDERS = 4
Stored = list[list[sqlite3.Connection]]
LIKE_SPIDER = Rules(permute_columns=True, keep_distinct=False)


@dataclass
class Agreement:
    """Pairs that both could judge. A disagreement without a rule that explains it stands under `unexplained`."""

    pairs: int = 0
    agree: int = 0
    only_ours_accepts: dict[str, int] = field(default_factory=dict)
    only_spider_accepts: dict[str, int] = field(default_factory=dict)
    unexplained: list[str] = field(default_factory=list)


def measure_agreement(
    rows: Sequence[Mapping[str, str]], dialect: str, databases: int = 5, seed: int = 0, rules: Rules = OURS
) -> Agreement:
    """Each row's gold, its mutants and its rewrites, judged by both. `rules` are those of our judge."""
    rng, found = random.Random(seed), Agreement()
    golds = [SqlPair(row["context"], row["answer"], row["answer"], dialect, databases, rules) for row in rows]
    pairs = {gold: [gold, *_changed(gold, rng)] for gold in golds if parse_query(gold.gold, dialect)}
    with SqlWorkers() as workers:
        outcomes = workers.judge_all([pair for judged in pairs.values() for pair in judged])
        for gold, judged in pairs.items():
            ours = [outcome for _, outcome in zip(judged, outcomes, strict=False)]
            for pair, outcome in zip(judged, ours, strict=True):
                if outcome.execution is not None:
                    with _stored(pair, gold.databases) as stored:
                        _count(found, pair, outcome.execution, stored)
    return found


def _changed(gold: SqlPair, rng: random.Random) -> list[SqlPair]:
    texts = [text for _, text in [*mutants_of(gold, rng), *rewrites(gold.gold, gold.dialect)]]
    return [replace(gold, prediction=text) for text in texts]


@contextmanager
def _stored(pair: SqlPair, count: int) -> Iterator[Stored]:
    """The first databases that our judge makes up for the pair, each in several orders of storage.

    The last of them is read without the indexes that SQLite makes for a join: these sort rows that tie, too.
    """
    schema = read_schema(pair.context, pair.dialect)
    gold, prediction = (parse_query(text, pair.dialect) for text in (pair.gold, pair.prediction))
    facts = query_facts(gold, schema, prediction)
    with ExitStack() as stack:
        stored = []
        for seed in range(count):
            orders = storage_orders(make_database(schema, facts, seed), STORAGE_ORDERS)
            connections = [stack.enter_context(closing(sqlite3.connect(":memory:"))) for _ in orders]
            for connection, order in zip(connections, orders, strict=True):
                fill(connection, order)
            connections[-1].execute("PRAGMA automatic_index = OFF")
            stored.append(connections)
        yield stored


def _count(found: Agreement, pair: SqlPair, ours: bool, stored: Stored) -> None:
    gold, prediction = (to_sqlite(text, parse_query(text, pair.dialect)) for text in (pair.gold, pair.prediction))
    try:
        theirs = accepts(gold, prediction, stored)
    except GoldFailed:
        return
    found.pairs += 1
    found.agree += theirs == ours
    if theirs != ours:
        _explain(found, pair, ours, _reason(pair, gold, prediction, ours, stored))


def _reason(pair: SqlPair, gold: str, prediction: str, ours: bool, stored: Stored) -> str | None:
    """The rules that explain a disagreement. Ours replaces databases that tell nothing; that may have to be one of them."""
    why = reason(gold, prediction, stored, ours, SPIDER)
    if why is None:
        with _stored(pair, MOST_TRIES * pair.databases) as more:
            why = reason(gold, prediction, more, ours, SPIDER)
            return None if why is None else " + ".join(filter(None, ["databases that tell nothing are replaced", why]))
    return why


def _explain(found: Agreement, pair: SqlPair, ours: bool, why: str | None) -> None:
    reasons = found.only_ours_accepts if ours else found.only_spider_accepts
    if why is None:
        found.unexplained.append(f"{'ours' if ours else 'Spider'} accepts: {pair.gold} -> {pair.prediction}")
    else:
        reasons[why] = reasons.get(why, 0) + 1
