"""How well the judge of SQL tells a wrong query from a right one, and how fast.

    python -m benchmarks.evaluator_kill_rate ROWS.jsonl --dialect mysql --rows 500
    python -m benchmarks.evaluator_kill_rate examples/text-to-sql/rows.jsonl

Each row (question, context, answer) is judged against single-change mutants of its own answer, which should be found
wrong, and against harmless rewrites, which should be found right. Mutants that do not run are left out; mutants that
happen to mean the same as the answer stay in and count as survivors. Prints one JSON object.
"""

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.sql_mutants import mutants, rewrites
from tasks.evaluation.sql.judging import SqlPair
from tasks.evaluation.sql.query import parse_query
from tasks.evaluation.sql.schema import UnreadableSchema, read_schema
from tasks.evaluation.sql.workers import SqlWorkers


@dataclass
class KillRate:
    """What was found. Rates are None when there was nothing to count."""

    rows: int
    evaluable: int = 0
    not_evaluable: dict[str, int] = field(default_factory=dict)
    rows_per_second: float = 0.0
    mutants: int = 0
    killed: float | None = None
    killed_of_evaluable_rows: float | None = None
    killed_by_kind: dict[str, float] = field(default_factory=dict)
    rewrites: int = 0
    refused: list[str] = field(default_factory=list)


def measure(rows: Sequence[Mapping[str, str]], dialect: str, databases: int = 5, seed: int = 0) -> KillRate:
    """Judge every row against itself, its mutants and its rewrites."""
    golds = [SqlPair(row["context"], row["answer"], row["answer"], dialect, databases) for row in rows]
    with SqlWorkers() as workers:
        start = time.perf_counter()
        own = list(workers.judge_all(golds))
        found = KillRate(len(rows), rows_per_second=round(len(rows) / (time.perf_counter() - start), 1))
        found.evaluable = sum(outcome.obstacle is None for outcome in own)
        found.not_evaluable = dict(Counter(outcome.obstacle for outcome in own if outcome.obstacle))
        runs = [gold for gold, outcome in zip(golds, own, strict=True) if outcome.obstacle != "gold_fails"]
        evaluable = [gold for gold, outcome in zip(golds, own, strict=True) if outcome.obstacle is None]
        _measure_mutants(found, workers, runs, random.Random(seed))
        _measure_rewrites(found, workers, evaluable)
    return found


def _measure_mutants(found: KillRate, workers: SqlWorkers, golds: Iterable[SqlPair], rng: random.Random) -> None:
    changes = [(kind, _predicting(gold, text)) for gold in golds for kind, text in _mutants(gold, rng)]
    outcomes = workers.judge_all([pair for _, pair in changes])
    judged = [(kind, outcome) for (kind, _), outcome in zip(changes, outcomes, strict=True) if outcome.valid]
    killed = Counter(kind for kind, outcome in judged if outcome.execution is False)
    made = Counter(kind for kind, _ in judged)
    decided = sum(outcome.obstacle is None for _, outcome in judged)
    found.mutants = len(judged)
    if judged and decided:
        found.killed = round(killed.total() / len(judged), 4)
        found.killed_of_evaluable_rows = round(killed.total() / decided, 4)
    found.killed_by_kind = {kind: round(killed[kind] / made[kind], 3) for kind in sorted(made)}


def _measure_rewrites(found: KillRate, workers: SqlWorkers, golds: Iterable[SqlPair]) -> None:
    pairs = [_predicting(gold, text) for gold in golds for _, text in rewrites(gold.gold, gold.dialect)]
    outcomes = workers.judge_all(pairs)
    refused = [pair for pair, outcome in zip(pairs, outcomes, strict=True) if not outcome.execution]
    found.rewrites = len(pairs)
    found.refused = [f"{pair.gold} -> {pair.prediction}" for pair in refused]


def _predicting(gold: SqlPair, prediction: str) -> SqlPair:
    return SqlPair(gold.context, gold.gold, prediction, gold.dialect, gold.databases)


def _mutants(gold: SqlPair, rng: random.Random) -> list[tuple[str, str]]:
    try:
        tables = read_schema(gold.context, gold.dialect).tables
    except UnreadableSchema:
        return []
    if parse_query(gold.gold, gold.dialect) is None:
        return []
    columns = sorted({name for columns in tables.values() for name in columns})
    return mutants(gold.gold, gold.dialect, columns, rng)


def main() -> None:
    """Reads the rows, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="JSON lines with context and answer")
    parser.add_argument("--dialect", default="sqlite")
    parser.add_argument("--rows", type=int, default=500, help="so many rows, drawn by seed")
    parser.add_argument("--databases", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with arguments.path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = random.Random(arguments.seed).sample(rows, min(arguments.rows, len(rows)))
    found = measure(rows, arguments.dialect, arguments.databases, arguments.seed)
    print(json.dumps({**asdict(found), "databases": arguments.databases, "cpus": os.cpu_count()}, indent=2))


if __name__ == "__main__":
    main()
