"""How well the judge of SQL tells a wrong query from a right one. `benchmarks.evaluator` is the command.

Each row (question, context, answer) is judged against single-change mutants of its own answer, which should be found
wrong, and against harmless rewrites, which should be found right. Mutants that do not run are left out; mutants that
happen to mean the same as the answer stay in and count as survivors.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.sql_mutants import mutants, rewrites
from finetune_flows.tasks.sql.judging import SqlPair
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.schema import read_schema
from finetune_flows.tasks.sql.statements import UnreadableSchema
from finetune_flows.tasks.sql.workers import SqlWorkers


@dataclass
class KillRate:
    """What was found. Rates are None when there was nothing to count."""

    rows: int
    evaluable: int = 0
    not_evaluable: dict[str, int] = field(default_factory=dict)
    mutants: int = 0
    killed: float | None = None
    killed_of_evaluable_rows: float | None = None
    killed_by_kind: dict[str, float] = field(default_factory=dict)
    rewrites: int = 0
    refused: list[str] = field(default_factory=list)
    ast_match_accepts_mutants: int = 0
    ast_match_accepts_rewrites: int = 0


def measure(rows: Sequence[Mapping[str, str]], dialect: str, databases: int = 5, seed: int = 0) -> KillRate:
    """Judge every row against itself, its mutants and its rewrites."""
    golds = [SqlPair(row["context"], row["answer"], row["answer"], dialect, databases) for row in rows]
    with SqlWorkers() as workers:
        own = list(workers.judge_all(golds))
        found = KillRate(len(rows))
        found.evaluable = sum(outcome.obstacle is None for outcome in own)
        found.not_evaluable = dict(Counter(outcome.obstacle for outcome in own if outcome.obstacle))
        runs = [gold for gold, outcome in zip(golds, own, strict=True) if outcome.obstacle != "gold_fails"]
        evaluable = [gold for gold, outcome in zip(golds, own, strict=True) if outcome.obstacle is None]
        _measure_mutants(found, workers, runs, random.Random(seed))
        _measure_rewrites(found, workers, evaluable)
    return found


def _measure_mutants(found: KillRate, workers: SqlWorkers, golds: Iterable[SqlPair], rng: random.Random) -> None:
    changes = [(kind, _predicting(gold, text)) for gold in golds for kind, text in mutants_of(gold, rng)]
    outcomes = workers.judge_all([pair for _, pair in changes])
    judged = [(kind, outcome) for (kind, _), outcome in zip(changes, outcomes, strict=True) if outcome.valid]
    killed = Counter(kind for kind, outcome in judged if outcome.execution is False)
    made = Counter(kind for kind, _ in judged)
    decided = sum(outcome.obstacle is None for _, outcome in judged)
    found.mutants = len(judged)
    found.ast_match_accepts_mutants = sum(bool(outcome.ast_match) for _, outcome in judged)
    if judged and decided:
        found.killed = round(killed.total() / len(judged), 4)
        found.killed_of_evaluable_rows = round(killed.total() / decided, 4)
    found.killed_by_kind = {kind: round(killed[kind] / made[kind], 3) for kind in sorted(made)}


def _measure_rewrites(found: KillRate, workers: SqlWorkers, golds: Iterable[SqlPair]) -> None:
    pairs = [_predicting(gold, text) for gold in golds for _, text in rewrites(gold.gold, gold.dialect)]
    outcomes = list(workers.judge_all(pairs))
    found.ast_match_accepts_rewrites = sum(bool(outcome.ast_match) for outcome in outcomes)
    refused = [pair for pair, outcome in zip(pairs, outcomes, strict=True) if not outcome.execution]
    found.rewrites = len(pairs)
    found.refused = [f"{pair.gold} -> {pair.prediction}" for pair in refused]


def _predicting(gold: SqlPair, prediction: str) -> SqlPair:
    return replace(gold, prediction=prediction)


def mutants_of(gold: SqlPair, rng: random.Random) -> list[tuple[str, str]]:
    """Kind and text of single wrong changes; none of a gold that cannot be read."""
    try:
        tables = read_schema(gold.context, gold.dialect).tables
    except UnreadableSchema:
        return []
    if parse_query(gold.gold, gold.dialect) is None:
        return []
    columns = sorted({name for columns in tables.values() for name in columns})
    return mutants(gold.gold, gold.dialect, columns, rng)
