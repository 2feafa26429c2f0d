"""Judging text-to-SQL answers on the user's own databases, if the recipe names them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat

from finetune_flows.tasks.base.errors import TryLater
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.sections.databases import RealDatabases
from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.real.database import RealDatabase
from finetune_flows.tasks.sql.real.judging import RealPair, check_databases
from finetune_flows.tasks.sql.workers import SqlWorkers


def check_real_databases(section: RealDatabases, rows: Sequence[TestRow]) -> None:
    """Opens every database of the rows, before any cost, and checks the permissions of its role.

    Raises EnvironmentProblem with the name of each database that is missing or lets its role do more than read.
    """
    check_databases(_database(section, name) for name in dict.fromkeys(map(_name, rows)))


@contextmanager
def real_outcomes(
    section: RealDatabases | None, rows: Sequence[TestRow], pairs: Sequence[SqlPair]
) -> Iterator[Iterator[SqlOutcome | None]]:
    """The outcome of each pair on its row's database, in order; None for each if the recipe names no databases.

    The iterator raises TryLater if a database can no longer be reached.
    """
    if section is None:
        yield repeat(None, len(pairs))
        return
    real = [
        RealPair(pair.gold, pair.prediction, pair.dialect, _database(section, _name(row)), pair.rules)
        for row, pair in zip(rows, pairs, strict=True)
    ]
    variable = section.password_variable
    with SqlWorkers(section.connections, password_variable=variable) as workers:
        yield map(_reached, workers.judge_all(real))


def _database(section: RealDatabases, name: str | None) -> RealDatabase:
    """The database that a row names."""
    source = section.source if name is None else section.source.replace("{database}", name)
    return RealDatabase(source, section.password_variable, section.timeout_seconds, section.max_rows)


def _name(row: TestRow) -> str | None:
    return row.fields.get("database")


def _reached(outcome: SqlOutcome) -> SqlOutcome:
    if outcome.obstacle == "no_database":
        raise TryLater(f"{outcome.detail}. The answers are stored; run again when the database can be reached")
    return outcome
