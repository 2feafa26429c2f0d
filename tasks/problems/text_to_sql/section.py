"""What the model learns: a section of the recipe for each problem."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from finetune_flows.tasks.problems.section import ProblemSection
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
        if url is None and self.password_variable:
            raise ValueError("password_variable: an SQLite file has no password")
        if url and url.scheme not in ("postgresql", "mysql", "mariadb", "duckdb"):
            raise ValueError(f"source: {url.scheme}:// is not one of postgresql://, mysql://, mariadb://, duckdb://")
        if url and (url.password is not None or "passw" in url.query.lower()):
            raise ValueError(
                "source holds a password: put it into an environment variable, its name in password_variable"
            )
        return self


class SqlJudging(Section):
    """How SQL is judged."""

    model_config = ConfigDict(title="SQL judging")

    databases: int = Field(5, ge=1, le=50, description="Databases made up for each row, on which both queries are run.")
    real_databases: RealDatabases | None = Field(
        None, title="Real databases", description="Databases of your own, for the score execution_real."
    )
    permute_columns: bool = Field(
        False, description="Accept the columns in another order, as Spider's test-suite evaluation does."
    )
    keep_distinct: bool = Field(
        True,
        description="Off: DISTINCT is taken out of both queries, as Spider's test-suite evaluation does by default.",
    )
    as_sets: bool = Field(
        False, description="Let neither duplicate rows nor their order count, as BIRD's execution accuracy does."
    )


class SqlAnswering(Section):
    """Levers that need no training. docs/evaluation.md says what they were measured to give."""

    model_config = ConfigDict(title="SQL answering")

    grammar: bool = Field(
        False,
        description="The server lets the model write nothing but a query of the row's schema. Needs our server or vLLM.",
    )
    repairs: int = Field(
        0,
        ge=0,
        le=5,
        description="An answer that does not run on the schema is asked for again, at most so many times.",
    )
    examples: int = Field(
        0,
        ge=0,
        le=16,
        description="Training rows of similar schema and question that stand before the row's own schema.",
    )


class TextToSql(ProblemSection):
    """Question and schema in, SQL out."""

    model_config = ConfigDict(title="Text to SQL")
    metrics: ClassVar = ("execution", "execution_caseless", "exact_match", "execution_real")
    splits: ClassVar = ("schema", "query", "question", "column")

    kind: Literal["text-to-sql"] = Field("text-to-sql", description="Question and schema in, SQL out.")
    question: str = Field("question", description="Column that holds the question.")
    context: str = Field("context", description="Column that holds the schema, as CREATE TABLE statements.")
    answer: str = Field("answer", description="Column that holds the right SQL.")
    database: str | None = Field(
        None, description="Column that names the row's database; only judging.real_databases needs it."
    )
    dialect: Literal["sqlite", "mysql", "postgres", "duckdb"] = Field(
        "sqlite", description='How the answers are spelt. mysql reads "x" as text, which sql-create-context needs.'
    )
    instruction: str = Field(
        "You are a text-to-SQL translator. Answer the question with one SQL query for this schema, and nothing else.\n"
        "SCHEMA:\n{context}",
        description="System message; {context} stands for the schema.",
    )
    judging: SqlJudging = Field(default_factory=SqlJudging, description="How the answers are judged.")
    answering: SqlAnswering = Field(
        default_factory=SqlAnswering, description="How base and tuned model are asked in the evaluation."
    )

    @property
    def answer_settings(self) -> dict[str, Any]:
        """The levers that are on."""
        return self.answering.model_dump(exclude_defaults=True)

    @property
    def shows_training_rows(self) -> bool:
        """As examples."""
        return self.answering.examples > 0

    @property
    def growth(self) -> tuple[int, int]:
        """Examples are as long as rows; a repair shows the answer and an error, which is shorter than a long answer."""
        return 1 + self.answering.examples, 1 + 2 * self.answering.repairs

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The question; schema and SQL must stay what they are."""
        return (self.question,)

    @model_validator(mode="after")
    def _names_the_schema(self) -> Self:
        if "{context}" not in self.instruction:
            raise ValueError("instruction must contain {context}, where the schema goes")
        return self

    def mistakes(self, metric: str) -> Iterator[str]:
        """Those of all problems, and real databases without what they need."""
        yield from super().mistakes(metric)
        real = self.judging.real_databases
        if metric == "execution_real" and real is None:
            yield "evaluation.metric: execution_real needs problem.judging.real_databases"
        if real and "{database}" in real.source and self.database is None:
            yield (
                "problem.judging.real_databases.source holds {database}, but problem.database names no column for it"
            )
