"""How fast is the judge of SQL, in each dialect and against another build?

    python -m benchmarks.judging_speed ROWS.jsonl --dialects sqlite duckdb postgres [--rows 1000] [--before CHECKOUT] [--rounds 3]

Rows have a `context` and an `answer` in the spelling of MySQL or SQLite, which each dialect gets in its own; rows whose answer
does not run there are left out. Half of the predictions are right, some of them rewritten; half have one wrong change.
Rows with `dialect`, `schema`, `gold` and `prediction` are judged as they are.

Both builds judge the same pairs in turn (this one, the other, this one, ...), each in a process of its own that has its
workers running before the clock starts. Prints milliseconds a prediction, by the clock and of CPU time, the workers' and the
servers' included: the median of the rounds, and the median ratio of the rounds.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlglot

from benchmarks.evaluator_kill_rate import mutants_of
from benchmarks.sql_mutants import rewrites
from finetune_flows.tasks.base.files import PACKAGE
from finetune_flows.tasks.sql.judging import SqlPair
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.workers import SqlWorkers

Pair = tuple[str, str, str]
"""Schema, gold, prediction."""

_JUDGE = """
import importlib, json, resource, sys, time

asked = json.load(sys.stdin)
SqlPair = importlib.import_module(asked["package"] + ".judging").SqlPair
SqlWorkers = importlib.import_module(asked["package"] + ".workers").SqlWorkers

def judged(pairs):
    'Outcomes, seconds by the clock without the start of the workers, seconds of CPU time with it.'
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with SqlWorkers(asked["workers"]) as pool:
        list(pool.judge_all(few))
        start = time.perf_counter()
        outcomes = list(pool.judge_all(pairs))
        clock = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return outcomes, clock, used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime

pairs = [SqlPair(*pair, asked["dialect"], asked["databases"]) for pair in asked["pairs"]]
few = pairs[:8]
_, _, of_start = judged([])
outcomes, clock, cpu = judged(pairs)
print(json.dumps({
    "clock": 1000 * clock / len(pairs),
    "cpu": 1000 * (cpu - of_start) / len(pairs),
    "right": sum(outcome.execution is True for outcome in outcomes),
    "not_evaluable": sum(outcome.obstacle is not None for outcome in outcomes),
    "engines": sorted({getattr(outcome, "engine", None) or "SQLite" for outcome in outcomes}),
}))
"""


def pairs_of(path: Path, dialect: str, most: int) -> list[Pair]:
    """Pairs to judge in a dialect."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    if "prediction" in rows[0]:
        return [(r["schema"], r["gold"], r["prediction"]) for r in rows if r["dialect"] == dialect][: most or None]
    golds = [SqlPair(row["context"], _spelt(row["answer"], dialect), "", dialect, 1) for row in rows]
    with SqlWorkers() as workers:
        runs = [
            gold
            for gold, outcome in zip(golds, workers.judge_all(golds), strict=True)
            if outcome.obstacle != "gold_fails"
        ]
    rng = random.Random(0)
    chosen = rng.sample(runs, min(most, len(runs))) if most else runs
    return [(pair.context, pair.gold, _prediction(pair, rng)) for pair in chosen]


def _spelt(query: str, dialect: str) -> str:
    tree = parse_query(query, "mysql")
    return query if tree is None else tree.sql(dialect)


def _prediction(pair: SqlPair, rng: random.Random) -> str:
    """Half of them right, one in four of these rewritten; half of them wrong."""
    draw = rng.random()
    try:
        changes = mutants_of(pair, rng) if draw < 0.5 else rewrites(pair.gold, pair.dialect) if draw > 0.875 else []
    except sqlglot.errors.SqlglotError:
        changes = []
    return rng.choice(changes)[1] if changes else pair.gold


def _packages(checkout: Path) -> Path:
    """The folder that goes onto Python's path: builds before there was one package have theirs at the top."""
    source = checkout.absolute() / "src"
    return source if source.is_dir() else checkout.absolute()


def measure(build: Path, pairs: list[Pair], dialect: str, databases: int, workers: int) -> dict[str, Any]:
    """Judge all pairs by a build: the folder that its packages are in."""
    package = "finetune_flows.tasks.sql" if (build / "finetune_flows").exists() else "tasks.evaluation.sql"
    asked = {"package": package, "pairs": pairs, "dialect": dialect, "databases": databases, "workers": workers}
    done = subprocess.run(
        [sys.executable, "-c", _JUDGE],
        input=json.dumps(asked),
        env={**os.environ, "PYTHONPATH": str(build), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """One line for each dialect and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--dialects", nargs="+", default=["sqlite", "duckdb", "postgres", "mysql"])
    parser.add_argument("--rows", type=int, default=1000, help="how many pairs of each dialect; 0: all")
    parser.add_argument("--before", type=Path, help="the checkout of another build, to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    builds = {"this build": PACKAGE.parent} | ({"the other": _packages(options.before)} if options.before else {})
    for dialect in options.dialects:
        pairs = pairs_of(options.path, dialect, options.rows)
        rounds = [
            {name: measure(build, pairs, dialect, options.databases, options.workers) for name, build in builds.items()}
            for _ in range(options.rounds)
        ]
        for name in builds:
            clock, cpu = (statistics.median(round[name][key] for round in rounds) for key in ("clock", "cpu"))
            first = rounds[0][name]
            counts = f"{first['right']} right, {first['not_evaluable']} not evaluable, {', '.join(first['engines'])}"
            print(f"{dialect:9} {name:11} {clock:6.2f} ms, CPU {cpu:6.2f} ms of {len(pairs)} predictions: {counts}")
        if options.before:
            for key in ("clock", "cpu"):
                ratios = sorted(round["this build"][key] / round["the other"][key] for round in rounds)
                spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
                print(f"{dialect:9} this build takes {statistics.median(ratios):.2f} x {spread} of {key}")


if __name__ == "__main__":
    main()
