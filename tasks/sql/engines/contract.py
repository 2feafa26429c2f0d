"""What every engine promises: a schema is made in it, rows are put in, and queries read them and do nothing else."""

from dataclasses import dataclass
from typing import Protocol

from finetune_flows.tasks.sql.compare import Row
from finetune_flows.tasks.sql.generator.databases import Database
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.statements import Statement


class QueryFailed(Exception):
    """The query gave no result. The message says why: the database's own words, or the limit it met."""


class NotTranslatable(QueryFailed):
    """The query may well run in its own engine; the one that is here cannot say."""


class SchemaRefused(Exception):
    """The engine does not take the schema. The message names the statement and says why."""


class EngineMissing(Exception):
    """The engine is not on this machine or does not start. The message says what to install."""


class DatabaseMissing(Exception):
    """The database is not there, cannot be reached, or is none. The message names it."""


@dataclass(frozen=True)
class Limits:
    """What one query may use: seconds, rows of the result, memory (of the engine and of the rows), bytes of a value.

    The seconds are CPU time where the engine runs in our process, so that a busy machine changes no verdict. A server
    counts wall clock time, and gets `server_seconds`.
    """

    seconds: float = 0.5
    rows: int = 20_000
    bytes: int = 64 * 2**20
    value_bytes: int = 100_000
    server_seconds: float = 2.0


class Session(Protocol):
    """One pair's schema in an engine. `engine`: its name and version."""

    engine: str

    def load(self, database: Database, *, turned: bool = False) -> None:
        """Replace all rows. Rows that the schema's own constraints refuse are left out.

        turned: rows that a query leaves unordered come the other way round, in an engine that keeps them by their key.
        """

    def run(self, query: Query) -> list[Row]:
        """The rows of one query. Raises QueryFailed."""

    def close(self) -> None:
        """Leave nothing behind."""


def refused(engine: str, statement: Statement, problem: object) -> SchemaRefused:
    """The error that names the statement and says why."""
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    return SchemaRefused(f"{engine} refuses {statement.beginning!r}: {lines[0][:200]}")
