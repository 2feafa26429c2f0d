"""How well the judge of SQL tells a wrong query from a right one. `benchmarks.evaluator` is the command.

Each row (question, context, answer) is judged against single-change mutants of its own answer, which should be found
wrong, and against harmless rewrites, which should be found right. Mutants that do not run are left out; mutants that
happen to mean the same as the answer stay in and count as survivors.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from benchmarks.sql_mutants import Change, mutants, rewrites
from benchmarks.sql_rewrites import value_rewrites
from benchmarks.sql_value_mutants import value_mutants
from finetune_flows.tasks.sql.judging import SqlPair
from finetune_flows.tasks.sql.query import parse_query
from finetune_flows.tasks.sql.schema import TableColumn, read_schema
from finetune_flows.tasks.sql.statements import UnreadableSchema
from finetune_flows.tasks.sql.workers import SqlWorkers


@dataclass
class KillRate:
    """What was found. Rates are None when there was nothing to count.

    killed_by_kind: how many of how many. survivors: mutants that were judged right, of rows that can be judged.
    rewrites_that_do_not_run: spelt by sqlglot in a way that the engine does not know; they count nowhere.
    """

    rows: int
    evaluable: int = 0
    not_evaluable: dict[str, int] = field(default_factory=dict)
    mutants: int = 0
    killed: float | None = None
    killed_of_evaluable_rows: float | None = None
    killed_by_kind: dict[str, tuple[int, int]] = field(default_factory=dict)
    survivors: list[str] = field(default_factory=list)
    rewrites: int = 0
    refused: list[str] = field(default_factory=list)
    rewrites_that_do_not_run: list[str] = field(default_factory=list)
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
    judged = [(kind, pair, outcome) for (kind, pair), outcome in zip(changes, outcomes, strict=True) if outcome.valid]
    killed = Counter(kind for kind, _, outcome in judged if outcome.execution is False)
    made = Counter(kind for kind, _, _ in judged)
    decided = sum(outcome.obstacle is None for _, _, outcome in judged)
    found.mutants = len(judged)
    found.ast_match_accepts_mutants = sum(bool(outcome.ast_match) for _, _, outcome in judged)
    if judged and decided:
        found.killed = round(killed.total() / len(judged), 4)
        found.killed_of_evaluable_rows = round(killed.total() / decided, 4)
    found.killed_by_kind = {kind: (killed[kind], made[kind]) for kind in sorted(made)}
    found.survivors = [
        f"{kind}: {pair.gold} -> {pair.prediction}" for kind, pair, outcome in judged if outcome.execution
    ]


def _measure_rewrites(found: KillRate, workers: SqlWorkers, golds: Iterable[SqlPair]) -> None:
    pairs = [_predicting(gold, text) for gold in golds for _, text in rewrites_of(gold)]
    outcomes = list(workers.judge_all(pairs))
    found.ast_match_accepts_rewrites = sum(bool(outcome.ast_match) for outcome in outcomes)
    told = [(outcome, f"{pair.gold} -> {pair.prediction}") for pair, outcome in zip(pairs, outcomes, strict=True)]
    found.rewrites = sum(bool(outcome.valid) for outcome in outcomes)
    found.refused = [text for outcome, text in told if outcome.valid and not outcome.execution]
    found.rewrites_that_do_not_run = [f"{text}: {outcome.error}" for outcome, text in told if not outcome.valid]


def _predicting(gold: SqlPair, prediction: str) -> SqlPair:
    return replace(gold, prediction=prediction)


def mutants_of(gold: SqlPair, rng: random.Random) -> list[Change]:
    """Kind and text of single wrong changes; none of a gold that cannot be read."""
    columns = _columns(gold)
    if not columns or parse_query(gold.gold, gold.dialect) is None:
        return []
    structure = mutants(gold.gold, gold.dialect, sorted(column.name for column in columns.values()), rng)
    changes = [*value_mutants(gold.gold, gold.dialect, columns, rng), *structure]
    return [(kind, text) for kind, text in changes if kind != "distinct" or not _has_key(gold, columns)]


def _has_key(gold: SqlPair, columns: Mapping[str, TableColumn]) -> bool:
    """Whether the gold lists a key of its only table, so that no row can come twice."""
    tree = parse_query(gold.gold, gold.dialect)
    if not isinstance(tree, exp.Select) or len(list(tree.find_all(exp.Table))) != 1:
        return False
    listed = {part.name.lower() for part in tree.selects if isinstance(part, exp.Column | exp.Star)}
    keys = {name for name, column in columns.items() if column.unique and column.required}
    return bool(listed & keys) or ("*" in listed and bool(keys))


def rewrites_of(gold: SqlPair) -> list[Change]:
    """Kind and text of harmless rewrites; none of a gold that cannot be read."""
    if parse_query(gold.gold, gold.dialect) is None:
        return []
    return [*rewrites(gold.gold, gold.dialect), *value_rewrites(gold.gold, gold.dialect, _columns(gold))]


def _columns(gold: SqlPair) -> dict[str, TableColumn]:
    """Those of the tables that the gold names, by name; the first of several that are called the same."""
    try:
        schema = read_schema(gold.context, gold.dialect)
    except UnreadableSchema:
        return {}
    tables = schema.needed_by(parse_query(gold.gold, gold.dialect)).tables
    return {name: column for columns in reversed(tables.values()) for name, column in columns.items()}
