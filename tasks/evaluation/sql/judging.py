"""Whether a predicted query answers like the gold query, on databases made up for the gold."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from sqlglot import exp

from tasks.evaluation.sql.compare import Row, cuts, plain_rows, same_rows, says_nothing
from tasks.evaluation.sql.databases import Database, make_database, storage_orders
from tasks.evaluation.sql.order import witness
from tasks.evaluation.sql.query import is_ordered, parse_query, query_facts, to_sqlite
from tasks.evaluation.sql.sandbox import QueryFailed, Sandbox, sandbox
from tasks.evaluation.sql.schema import UnreadableSchema, read_schema

Obstacle = Literal["schema_unreadable", "gold_fails", "gold_empty", "gold_arbitrary", "killed"]
MOST_TRIES = 4


@dataclass(frozen=True)
class SqlPair:
    """What is judged: a predicted query against the gold one."""

    context: str
    gold: str
    prediction: str
    dialect: str
    databases: int


@dataclass(frozen=True)
class SqlOutcome:
    """What came of it.

    valid: the prediction runs on the schema; error: why it does not. execution: it gives the gold's rows on every
    database. caseless: the same, blind to the case of ASCII letters; it accepts whatever `execution` accepts.
    obstacle: why the pair could not be judged, if so; execution and caseless are None then.
    """

    valid: bool | None = None
    error: str | None = None
    execution: bool | None = None
    caseless: bool | None = None
    obstacle: Obstacle | None = None
    detail: str | None = None


def judge_pair(pair: SqlPair) -> SqlOutcome:
    """Judge one pair. Runs hostile SQL: outside of tests, call it in a worker process only (`workers.SqlWorkers`)."""
    try:
        schema = read_schema(pair.context, pair.dialect)
    except UnreadableSchema as problem:
        return SqlOutcome(obstacle="schema_unreadable", detail=str(problem)[:300])
    tree = parse_query(pair.gold, pair.dialect)
    facts = query_facts(tree, schema)
    database = cache(lambda seed: make_database(schema, facts, seed))
    gold, prediction = to_sqlite(pair.gold, pair.dialect), to_sqlite(pair.prediction, pair.dialect)
    error = _error(database(0), prediction)
    outcome = SqlOutcome(valid=not error, error=error)
    strict = _Trial(gold, None if error else prediction, tree, caseless=False)
    try:
        strict.run(database, pair.databases)
    except QueryFailed as problem:
        return replace(outcome, obstacle="gold_fails", detail=str(problem))
    if strict.obstacle:
        return replace(outcome, obstacle=strict.obstacle)
    caseless = strict.agree or (not error and _agrees_caseless(gold, prediction, tree, database, pair.databases))
    return replace(outcome, execution=strict.agree, caseless=caseless)


def _agrees_caseless(
    gold: str, prediction: str, tree: exp.Expr | None, database: Callable[[int], Database], wanted: int
) -> bool:
    trial = _Trial(gold, prediction, tree, caseless=True)
    try:
        trial.run(database, wanted)
    except QueryFailed:
        return False
    return trial.agree and trial.obstacle is None


def _error(database: Database, prediction: str) -> str | None:
    with sandbox(database) as box:
        try:
            box.run(prediction)
        except QueryFailed as problem:
            return str(problem)
    return None


class _Trial:
    """Gold and prediction on one database after the other, until enough of them have told something.

    Every database is stored in several row orders. Where the gold's rows differ between them, its answer is an accident
    (LIMIT among ties, a bare column beside GROUP BY) and the database tells nothing; nor does one on which the gold is
    empty. Others are tried instead. Rows that only change places tie: the prediction may have them in any order.
    """

    def __init__(self, gold: str, prediction: str | None, tree: exp.Expr | None, *, caseless: bool) -> None:
        self.gold, self.prediction, self.caseless = gold, prediction, caseless
        self.ordered = is_ordered(tree)
        self.witness = witness(tree)
        self.orders = 2 if tree and not tree.find(exp.Group, exp.Limit, exp.Window) else 4
        self.agree = prediction is not None
        self.spoke, self.told = False, 0

    @property
    def obstacle(self) -> Obstacle | None:
        """Why the databases did not decide, if so."""
        if self.told:
            return None
        return "gold_arbitrary" if self.spoke else "gold_empty"

    def run(self, database: Callable[[int], Database], wanted: int) -> None:
        """Raises QueryFailed when the gold fails."""
        for seed in range(MOST_TRIES * wanted):
            self._run_on(database(seed))
            if self.told == wanted or (self.told and not self.agree):
                return

    def _run_on(self, database: Database) -> None:
        with ExitStack() as stack:
            stored = storage_orders(database, self.orders)
            boxes = [stack.enter_context(sandbox(order, caseless=self.caseless)) for order in stored]
            results = [self._rows(box, self.gold) for box in boxes]
            gold = results[0]
            speaks = not says_nothing(gold)
            self.spoke = self.spoke or speaks
            if any(not same_rows(gold, other) for other in results):
                return
            blocks = self._blocks(boxes[0], results)
            if blocks is None:
                return
            self.told += speaks
            if self.agree:
                self.agree = all(self._agrees(box, gold, blocks) for box in boxes[:2])

    def _rows(self, box: Sandbox, query: str) -> list[Row]:
        return plain_rows(box.run(query), caseless=self.caseless)

    def _blocks(self, box: Sandbox, results: list[list[Row]]) -> list[int] | None:
        """Where each run of rows ends that may come in any order; None when the gold's LIMIT cuts through ties."""
        if not self.ordered:
            return [len(results[0])]
        return self.witness.blocks(self._rows(box, self.witness.query)) if self.witness else cuts(results)

    def _agrees(self, box: Sandbox, gold: list[Row], blocks: list[int]) -> bool:
        try:
            return self.prediction is not None and same_rows(gold, self._rows(box, self.prediction), blocks)
        except QueryFailed:
            return False
