"""A database that somebody has, and a session with it."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from finetune_flows.tasks.sql.compare import Row

DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "duckdb": "duckdb"}


class SessionLost(Exception):
    """The database ended the session in the middle of a query."""


class Session(Protocol):
    """A database that answers queries."""

    def run(self, query: str) -> list[Row]:
        """The rows of one query. Raises QueryFailed."""

    def rights_to_write(self) -> list[str]:
        """What the role of the session may do beyond reading, in words."""


@dataclass(frozen=True)
class RealDatabase:
    """One database: a path or URL without a placeholder, where its password is, and what one query may use."""

    source: str
    password_variable: str | None
    seconds: float
    rows: int

    @property
    def dialect(self) -> str:
        """How the database spells SQL."""
        return DIALECTS[urlsplit(self.source).scheme] if "://" in self.source else "sqlite"
