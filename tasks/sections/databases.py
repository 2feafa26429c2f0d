"""The section of a recipe that names databases of the user's own."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from finetune_flows.tasks.sections.section import Section


class RealDatabases(Section):
    """Databases of your own, on which answers are judged too. Read docs/real-databases.md before naming a server."""

    model_config = ConfigDict(title="Real databases")

    source: str = Field(
        min_length=1,
        description="SQLite files such as databases/{database}/{database}.sqlite, or a URL: postgresql://reader@host/shop, "
        "mysql://reader@host/{database}, duckdb:///shop.duckdb. {database} stands for what the row's column "
        "problem.database says.",
    )
    password_variable: str | None = Field(
        None,
        description="Name of the environment variable that holds the password of a server. It never stands in the URL.",
    )
    revision: str | None = Field(
        None, description="Any name for the state of the data. Scores are kept; change it when the data has changed."
    )
    timeout_seconds: float = Field(10, gt=0, le=600, description="Longest run of one query.")
    max_rows: int = Field(20_000, ge=1, le=1_000_000, description="A query that returns more rows has failed.")
    connections: int = Field(4, ge=1, le=64, description="Queries that run at once.")

    @model_validator(mode="before")
    @classmethod
    def _is_a_section(cls, value: object) -> object:
        if isinstance(value, str):  # pydantic would show it, and it may be a URL with a password
            raise ValueError("must be a section: write the path or the URL below it, as source")
        return value

    @model_validator(mode="after")
    def _can_be_found_and_keeps_its_password_to_itself(self) -> Self:
        url = urlsplit(self.source) if "://" in self.source else None
        if (url is None or url.scheme == "duckdb") and self.password_variable:
            raise ValueError("password_variable: a file of SQLite or DuckDB has no password")
        if url and url.scheme not in ("postgresql", "mysql", "mariadb", "duckdb"):
            raise ValueError(f"source: {url.scheme}:// is not one of postgresql://, mysql://, mariadb://, duckdb://")
        if url and (url.password is not None or "passw" in url.query.lower()):
            raise ValueError(
                "source holds a password: put it into an environment variable, its name in password_variable"
            )
        return self
