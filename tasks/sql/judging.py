"""Whether a predicted query answers like the gold query, on databases made up for the gold."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar, Literal

from sqlglot import exp

from finetune_flows.tasks.sql.compare import OURS, Row, Rules, cuts, plain_rows, same_rows, says_nothing
from finetune_flows.tasks.sql.databases import Database, make_database, storage_orders
from finetune_flows.tasks.sql.difference import differences
from finetune_flows.tasks.sql.normalise import normal_form
from finetune_flows.tasks.sql.query import is_ordered, parse_query, to_sqlite, without_distinct
from finetune_flows.tasks.sql.query_facts import query_facts
from finetune_flows.tasks.sql.query_features import Features, query_features
from finetune_flows.tasks.sql.row_order import witness
from finetune_flows.tasks.sql.sandbox import QueryFailed, Sandbox, sandbox
from finetune_flows.tasks.sql.schema import Schema, UnreadableSchema, read_schema
from finetune_flows.tasks.sql.telling import Telling, telling
from finetune_flows.tasks.sql.wording import Difference

Obstacle = Literal["schema_unreadable", "gold_fails", "gold_empty", "gold_arbitrary", "killed", "no_database"]
MOST_TRIES = 4


@dataclass(frozen=True)
class SqlPair:
    """What is judged: a predicted query against the gold one, on databases made up for the gold.

    The seconds are those after which a worker process that judges the pair is killed.
    """

    context: str
    gold: str
    prediction: str
    dialect: str
    databases: int
    rules: Rules = OURS
    cpu_seconds: ClassVar[float] = 3.0
    wall_clock_seconds: ClassVar[float] = 60.0

    def judge(self) -> "SqlOutcome":
        """Runs hostile SQL: outside of tests, call it in a worker process only (`workers.SqlWorkers`)."""
        return judge_pair(self)


@dataclass(frozen=True)
class SqlOutcome:
    """What came of it.

    valid: the prediction runs on the schema; error: why it does not. execution: it gives the gold's rows on every
    database. caseless: the same, blind to the case of ASCII letters; it accepts whatever `execution` accepts.
    obstacle: why the pair could not be judged, if so; execution and caseless are None then. ast_match: both are equal in
    normal form; None when the gold has none. features: of the gold. Of a prediction that gives other rows: its
    differences from the gold, and what both return on the first database that told them apart.
    """

    valid: bool | None = None
    error: str | None = None
    execution: bool | None = None
    caseless: bool | None = None
    obstacle: Obstacle | None = None
    detail: str | None = None
    ast_match: bool | None = None
    features: Features = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    telling: Telling | None = None


def judge_pair(pair: SqlPair) -> SqlOutcome:
    """Judge one pair, in this process."""
    try:
        schema = read_schema(pair.context, pair.dialect)
    except UnreadableSchema as problem:
        return SqlOutcome(obstacle="schema_unreadable", detail=str(problem)[:300])
    tree, other = (parse_query(query, pair.dialect) for query in (pair.gold, pair.prediction))
    outcome = replace(_judge_rows(pair, schema, tree, other), features=query_features(tree))
    if isinstance(tree, exp.Query) and tree == other:
        return replace(outcome, ast_match=True)
    form, other_form = normal_form(tree, schema), normal_form(other, schema)
    if form is None:
        return outcome
    found = differences(form, other_form) if other_form and outcome.execution is False else []
    return replace(outcome, ast_match=form == other_form, differences=found)


def _judge_rows(pair: SqlPair, schema: Schema, tree: exp.Expr | None, other: exp.Expr | None) -> SqlOutcome:
    """What running both tells."""
    facts = query_facts(tree, schema, other)
    database = cache(lambda seed: make_database(schema, facts, seed))
    (tree, gold), (_, prediction) = _spelt(pair, pair.gold, tree), _spelt(pair, pair.prediction, other)
    error = _error(database(0), prediction)
    outcome = SqlOutcome(valid=not error, error=error)
    strict = _Trial(gold, None if error else prediction, tree, pair.rules, caseless=False)
    try:
        # One query twice gives the same rows twice: then one database on which it finds something is enough.
        strict.run(database, MOST_TRIES * pair.databases, 1 if gold == prediction else pair.databases)
    except QueryFailed as problem:
        return replace(outcome, obstacle="gold_fails", detail=str(problem))
    if strict.obstacle:
        return replace(outcome, obstacle=strict.obstacle)
    caseless = strict.agree or (not error and _agrees_caseless(gold, prediction, tree, database, pair))
    return replace(outcome, execution=strict.agree, caseless=caseless, telling=strict.telling)


def _spelt(pair: SqlPair, query: str, tree: exp.Expr | None) -> tuple[exp.Expr | None, str]:
    """The query as it is run: its tree and its text."""
    if tree is not None and not pair.rules.keep_distinct:
        tree = without_distinct(tree)
    elif pair.dialect == "sqlite":
        return tree, query
    return tree, to_sqlite(query, tree)


def _agrees_caseless(
    gold: str, prediction: str, tree: exp.Expr | None, database: Callable[[int], Database], pair: SqlPair
) -> bool:
    trial = _Trial(gold, prediction, tree, pair.rules, caseless=True)
    try:
        trial.run(database, MOST_TRIES * pair.databases, pair.databases)
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

    def __init__(
        self, gold: str, prediction: str | None, tree: exp.Expr | None, rules: Rules, *, caseless: bool
    ) -> None:
        self.gold, self.prediction, self.rules, self.caseless = gold, prediction, rules, caseless
        self.ordered = is_ordered(tree)
        self.witness = witness(tree)
        self.orders = 2 if tree and not tree.find(exp.Group, exp.Limit, exp.Window) else 4
        self.agree = prediction is not None
        self.spoke, self.told = False, 0
        self.telling: Telling | None = None

    @property
    def obstacle(self) -> Obstacle | None:
        """Why the databases did not decide, if so."""
        if self.told:
            return None
        return "gold_arbitrary" if self.spoke else "gold_empty"

    def run(self, database: Callable[[int], Database], most: int, wanted: int) -> None:
        """Tries `most` databases, until `wanted` have told. Raises QueryFailed when the gold fails."""
        for seed in range(most):
            self._run_on(seed, database(seed))
            if self.told == wanted or (self.told and not self.agree):
                return

    def _run_on(self, seed: int, database: Database) -> None:
        with ExitStack() as stack:
            stored = storage_orders(database, self.orders)
            boxes = [stack.enter_context(sandbox(order, caseless=self.caseless)) for order in stored]
            results = [self._rows(box, self.gold) for box in boxes]
            gold = results[0]
            speaks = not says_nothing(gold)
            self.spoke = self.spoke or speaks
            if any(not same_rows(gold, other, rules=self.rules) for other in results):
                return
            blocks = self._blocks(boxes[0], results)
            if blocks is None:
                return
            self.told += speaks
            if self.agree:
                self.agree = all(self._agrees(seed, box, gold, blocks) for box in boxes[:2])

    def _rows(self, box: Sandbox, query: str) -> list[Row]:
        return plain_rows(box.run(query), caseless=self.caseless)

    def _blocks(self, box: Sandbox, results: list[list[Row]]) -> list[int] | None:
        """Where each run of rows ends that may come in any order; None when the gold's LIMIT cuts through ties."""
        if not self.ordered:
            return [len(results[0])]
        return self.witness.blocks(self._rows(box, self.witness.query)) if self.witness else cuts(results)

    def _agrees(self, seed: int, box: Sandbox, gold: list[Row], blocks: list[int]) -> bool:
        if self.prediction is None:
            return False
        try:
            rows = self._rows(box, self.prediction)
        except QueryFailed as problem:
            self.telling = telling(seed, gold, [], str(problem))
            return False
        if same_rows(gold, rows, blocks, self.rules):
            return True
        self.telling = telling(seed, gold, rows)
        return False
