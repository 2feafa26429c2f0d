"""Judges predictions on databases that people have: SQLite files, or a DuckDB, PostgreSQL or MySQL behind a URL.

SQLite files are read in the sandbox of `engines/sqlite.py`. Of the others see `servers.py`.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from sqlglot import exp

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.sql.compare import OURS, Row, Rules, plain_rows, same_rows, says_nothing
from finetune_flows.tasks.sql.engines.contract import DatabaseMissing, Limits, QueryFailed
from finetune_flows.tasks.sql.engines.sqlite import file_sandbox
from finetune_flows.tasks.sql.judging import SqlOutcome
from finetune_flows.tasks.sql.query import Query, is_ordered, parse_query, tree_to_sqlite, without_distinct
from finetune_flows.tasks.sql.real.database import RealDatabase, Session, SessionLost
from finetune_flows.tasks.sql.row_order import witness

SQLITE_BYTES = 512 * 2**20
SQLITE_VALUE_BYTES = 10 * 2**20
TRIES = 3
REMEDY = {
    "postgres": (
        "Make one that only reads: CREATE ROLE reader LOGIN PASSWORD '...'; GRANT SELECT ON ALL TABLES IN SCHEMA public "
        "TO reader (before PostgreSQL 15 also: REVOKE CREATE ON SCHEMA public FROM PUBLIC)"
    ),
    "mysql": "Make one that only reads: CREATE USER reader IDENTIFIED BY '...'; GRANT SELECT ON shop.* TO reader",
}
NOT_READING = (exp.DML, exp.DDL, exp.Command, exp.Into)


@dataclass(frozen=True)
class RealPair:
    """What is judged: a predicted query against the gold one, on a database that somebody has."""

    gold: str
    prediction: str
    dialect: str
    database: RealDatabase
    rules: Rules = OURS
    memory_bytes: ClassVar[int] = 3 * 2**30  # of address space; DuckDB takes more than one GiB before it holds a row

    @property
    def cpu_seconds(self) -> float:
        """Enough for the gold, its sort keys and the prediction at their limits; a worker that takes more is killed."""
        return 3 * self.database.seconds + 10

    @property
    def wall_clock_seconds(self) -> float:
        """The same for each try, and the time to connect."""
        return TRIES * (self.cpu_seconds + 30)

    def judge(self) -> SqlOutcome:
        """Runs hostile SQL: outside of tests, call it in a worker process only (`workers.SqlWorkers`).

        Every pair has a session of its own, in which the prediction comes last: what it does there reaches no other. A
        session that is lost may be another query's doing, so there are more tries.
        """
        lost = ""
        for _ in range(TRIES):
            try:
                with open_database(self.database) as session:
                    return _judge(self, session)
            except SessionLost as problem:
                lost = str(problem)
            except DatabaseMissing as problem:
                return SqlOutcome(obstacle="no_database", detail=str(problem))
        if not self.prediction:
            return SqlOutcome(obstacle="gold_fails", detail=lost)
        gold_alone = replace(self, prediction="").judge()
        return gold_alone if gold_alone.obstacle else replace(gold_alone, error=lost)


def check_databases(databases: Iterable[RealDatabase]) -> None:
    """Opens each, and looks at what its role may do.

    Raises EnvironmentProblem, naming each database that is not there or whose role may do more than read.
    """
    problems = [problem for database in databases if (problem := _problem(database))]
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems[:20])
        raise EnvironmentProblem(f"real databases, {len(problems)} unusable; see docs/real-databases.md:{listed}")


def _problem(database: RealDatabase) -> str | None:
    try:
        with open_database(database) as session:
            rights = session.rights_to_write()
    except DatabaseMissing as problem:
        return str(problem)
    return f"{database.source}: its role {'; '.join(rights)}. {REMEDY[database.dialect]}" if rights else None


def open_database(database: RealDatabase) -> AbstractContextManager[Session]:
    """A session. Entering it raises DatabaseMissing."""
    if database.dialect == "sqlite":
        limits = Limits(database.seconds, database.rows, SQLITE_BYTES, SQLITE_VALUE_BYTES)
        return file_sandbox(Path(database.source).expanduser(), limits)
    from finetune_flows.tasks.sql.real.servers import open_session  # half a second that most workers can do without

    return open_session(database)


def _judge(pair: RealPair, session: Session) -> SqlOutcome:
    try:
        gold = plain_rows(session.run(_spelt(pair, pair.gold)))
        blocks = _blocks(pair, session, gold)
    except QueryFailed as problem:
        return SqlOutcome(obstacle="gold_fails", detail=str(problem))
    if says_nothing(gold) or not blocks:
        return SqlOutcome(obstacle="gold_empty" if says_nothing(gold) else "gold_arbitrary")
    try:
        rows = plain_rows(session.run(_spelt(pair, pair.prediction)))
    except QueryFailed as problem:
        return SqlOutcome(valid=False, execution=False, error=str(problem))
    return SqlOutcome(valid=True, execution=same_rows(gold, rows, blocks, pair.rules))


def _blocks(pair: RealPair, session: Session, gold: list[Row]) -> list[int] | None:
    """Where each run of rows ends that may come in any order; None when the gold's LIMIT cuts through ties.

    Where that cannot be found out, the rows of an ordered gold must come in its order.
    """
    tree = parse_query(pair.gold, pair.dialect)
    tree = without_distinct(tree) if tree and not pair.rules.keep_distinct else tree
    strict = list(range(1, len(gold) + 1)) if is_ordered(tree) else [len(gold)]
    try:
        dialect = pair.database.dialect
        seen = witness(tree, lambda query: Query(_spell(query, dialect), dialect))
        return seen.blocks(plain_rows(session.run(seen.query.text))) if seen else strict
    except QueryFailed:
        return strict


def _spelt(pair: RealPair, query: str) -> str:
    """The query as the database spells it. A server gets nothing but what was understood, and that written anew.

    Raises QueryFailed.
    """
    dialect = pair.database.dialect
    if dialect == pair.dialect == "sqlite" and pair.rules.keep_distinct:
        return query
    tree = parse_query(query, pair.dialect)
    if not isinstance(tree, exp.Query) or tree.find(*NOT_READING):
        raise QueryFailed("is not one query that reads")
    return _spell(tree if pair.rules.keep_distinct else without_distinct(tree), dialect)


def _spell(tree: exp.Expr, dialect: str) -> str:
    """Without comments and hints: MySQL runs what stands in some comments, and a hint can lift a time limit."""
    tree = tree.copy()
    for hint in list(tree.find_all(exp.Hint)):
        hint.pop()
    try:
        return tree_to_sqlite(tree) if dialect == "sqlite" else tree.sql(dialect=dialect, comments=False)
    except Exception as problem:  # a model's output can meet any hole in a generator
        raise QueryFailed(f"cannot be spelt for {dialect}: {problem}"[:300]) from None
