"""Whether a predicted query answers like the gold query, on databases made up for the gold."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar, Literal

from sqlglot import exp

from finetune_flows.tasks.sql.compare import OURS, Rules
from finetune_flows.tasks.sql.differences.clauses import differences
from finetune_flows.tasks.sql.differences.kinds import Difference
from finetune_flows.tasks.sql.differences.rows import Telling
from finetune_flows.tasks.sql.engines import open_session
from finetune_flows.tasks.sql.engines.contract import (
    EngineMissing,
    NotTranslatable,
    QueryFailed,
    SchemaRefused,
    Session,
)
from finetune_flows.tasks.sql.generator.databases import Database, make_database
from finetune_flows.tasks.sql.generator.query_facts import query_facts
from finetune_flows.tasks.sql.normalise import normal_form
from finetune_flows.tasks.sql.query import Query, with_texts_of, with_views_inlined
from finetune_flows.tasks.sql.query_features import Features, query_features
from finetune_flows.tasks.sql.schema import Schema, read_schema
from finetune_flows.tasks.sql.statements import UnreadableSchema
from finetune_flows.tasks.sql.trial import MOST_TRIES, Trial

Obstacle = Literal[
    "schema_unreadable", "gold_fails", "gold_empty", "gold_arbitrary", "killed", "no_database", "no_engine"
]


@dataclass(frozen=True)
class SqlPair:
    """What is judged: a predicted query against the gold one, on databases made up for the gold.

    server: where the dialect's own engine listens, if it is a server, or why none does. The seconds are those after which a worker process
    that judges the pair is killed.
    """

    context: str
    gold: str
    prediction: str
    dialect: str
    databases: int
    rules: Rules = OURS
    server: str | EngineMissing | None = None
    cpu_seconds: ClassVar[float] = 3.0
    wall_clock_seconds: ClassVar[float] = 60.0

    @property
    def memory_bytes(self) -> int:
        """Of address space: DuckDB takes more than one GiB before it holds a row."""
        return 3 * 2**30 if self.dialect == "duckdb" else 2**29

    def judge(self) -> "SqlOutcome":
        """Runs hostile SQL: outside of tests, call it in a worker process only (`workers.SqlWorkers`)."""
        return judge_pair(self)


@dataclass(frozen=True)
class SqlOutcome:
    """What came of it.

    valid: the prediction runs on the schema; error: why it does not. execution: it gives the gold's rows on every
    database. caseless: the same, blind to the case of ASCII letters; it accepts whatever `execution` accepts.
    engine: which one judged. translated: why it was not the dialect's own, if so. obstacle: why the pair could not be
    judged, if so; execution and caseless are None then. ast_match: both are equal in
    normal form; None when the gold has none. features: of the gold. Of a prediction that gives other rows: its
    differences from the gold, and what both return on the first database that told them apart.
    """

    valid: bool | None = None
    error: str | None = None
    execution: bool | None = None
    caseless: bool | None = None
    obstacle: Obstacle | None = None
    detail: str | None = None
    engine: str | None = None
    translated: str | None = None
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
    gold, prediction = Query(pair.gold, pair.dialect), Query(pair.prediction, pair.dialect)
    outcome = replace(_judge_rows(pair, schema, gold, prediction), features=query_features(gold.tree))
    if isinstance(gold.tree, exp.Query) and gold.tree == prediction.tree:
        return replace(outcome, ast_match=True)
    form, other_form = normal_form(gold.tree, schema), normal_form(prediction.tree, schema)
    if form is None:
        return outcome
    found = differences(form, other_form) if other_form and outcome.execution is False else []
    return replace(outcome, ast_match=form == other_form, differences=found)


def _judge_rows(pair: SqlPair, schema: Schema, gold: Query, prediction: Query) -> SqlOutcome:
    """What running both tells."""
    tree, other = (with_views_inlined(query.tree, schema.views) for query in (gold, prediction))
    filled = schema.needed_by(tree, other)
    facts = query_facts(tree, filled, other)
    database = cache(lambda seed: make_database(filled, facts, seed))
    if not pair.rules.keep_distinct:
        gold, prediction = gold.without_distinct, prediction.without_distinct
    try:
        session, why = open_session(schema, pair.server)
    except SchemaRefused as problem:
        return SqlOutcome(obstacle="schema_unreadable", detail=str(problem)[:300])
    with closing(session):
        outcome = SqlOutcome(engine=session.engine, translated=why)
        try:
            return _compare(outcome, session, database, gold, prediction, pair)
        except NotTranslatable as problem:
            return replace(outcome, valid=None, obstacle="no_engine", detail=f"{why}; {problem}"[:300])


def _compare(
    outcome: SqlOutcome,
    session: Session,
    database: Callable[[int], Database],
    gold: Query,
    prediction: Query,
    pair: SqlPair,
) -> SqlOutcome:
    most = MOST_TRIES * pair.databases
    trial = Trial(session, gold, prediction, pair.rules)
    try:
        # One query twice gives the same rows twice: then one database on which it finds something is enough.
        trial.run(database, most, 1 if gold == prediction else pair.databases)
    except NotTranslatable:
        raise
    except QueryFailed as problem:
        return replace(outcome, valid=not trial.error, error=trial.error, obstacle="gold_fails", detail=str(problem))
    outcome = replace(outcome, valid=not trial.error, error=trial.error)
    if trial.obstacle:
        return replace(outcome, obstacle=trial.obstacle)
    caseless = trial.agree
    if not trial.agree and not trial.error and (respelt := with_texts_of(gold, prediction)) != prediction:
        again = Trial(session, gold, respelt, pair.rules)
        again.run(database, most, pair.databases)
        caseless = again.agree
    return replace(outcome, execution=trial.agree, caseless=caseless, telling=trial.telling)
