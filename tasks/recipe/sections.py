"""The sections of a recipe: frozen, closed (a misspelt key is an error), described for the person who fills in the form."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """What all sections share."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class TextToSql(Section):
    """Question and schema in, SQL out."""

    model_config = ConfigDict(title="Text to SQL")

    kind: Literal["text-to-sql"] = Field("text-to-sql", description="Question and schema in, SQL out.")
    question: str = Field("question", description="Column that holds the question.")
    context: str = Field("context", description="Column that holds the schema, as CREATE TABLE statements.")
    answer: str = Field("answer", description="Column that holds the right SQL.")
    database: str | None = Field(
        None, description="Column that names the row's database; only evaluation.real_databases needs it."
    )
    dialect: Literal["sqlite", "mysql", "postgres", "duckdb"] = Field(
        "sqlite", description='How the answers are spelt. mysql reads "x" as text, which sql-create-context needs.'
    )
    instruction: str = Field(
        "You are a text-to-SQL translator. Answer the question with one SQL query for this schema, and nothing else.\n"
        "SCHEMA:\n{context}",
        description="System message; {context} stands for the schema.",
    )

    @model_validator(mode="after")
    def _names_the_schema(self) -> Self:
        if "{context}" not in self.instruction:
            raise ValueError("instruction must contain {context}, where the schema goes")
        return self


class DatasetSection(Section):
    """Where the rows come from, and how they are checked and split."""

    model_config = ConfigDict(title="Dataset")

    source: str = Field(
        min_length=1,
        description="File or folder of JSONL, JSON, CSV or Parquet, or a hub id such as b-mc2/sql-create-context.",
    )
    revision: str | None = Field(
        None,
        description="Commit, branch or tag of the hub data set; a hub id needs one. The commit it stands for is recorded.",
    )
    hub_split: str = Field("train", description="Split of the hub data set that holds the rows.")
    test_source: str | None = Field(
        None,
        description="Rows kept apart for the test, of the same form. Without it, test_share of the source is taken.",
    )
    slice_column: str | None = Field(None, description="Column by whose values the scores are also reported.")
    max_rows: int = Field(0, ge=0, description="Use so many rows of the source, drawn by seed; 0: all.")
    test_share: float = Field(
        0.2, gt=0, lt=1, description="Share of the rows for the test. Whole schemas go to one side."
    )
    validation_share: float = Field(0.05, ge=0, lt=1, description="Share of the rows for the validation loss.")
    max_tokens: int = Field(1024, ge=32, description="Longest prompt and answer together, in tokens of the base model.")
    too_long: Literal["quarantine", "shorten_context"] = Field(
        "quarantine", description="What becomes of longer rows. The answer is never cut."
    )
    max_quarantined: float = Field(
        0.05, ge=0, le=1, description="The run stops when a larger share of the rows is unusable."
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of the draw and the split.")

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        if self.test_source is None and self.test_share + self.validation_share >= 1:
            raise ValueError("test_share and validation_share together leave no rows to train on")
        return self


class ModelSection(Section):
    """The base model."""

    model_config = ConfigDict(title="Base model")

    source: str = Field(
        min_length=1,
        description="Hub id, local folder, or package:<import name>/<file>.gguf for weights that a Python package ships.",
    )
    revision: str | None = Field(
        None,
        description="Commit, branch or tag of the hub model; a hub id needs one. The commit it stands for is recorded.",
    )
    chat_template: str | None = Field(
        None, description="File with a Jinja chat template, or 'chatml'. Needed when the base model has none."
    )
    token_variable: str = Field(
        "HF_TOKEN", description="Name of the environment variable that holds the hub token, for gated models."
    )


class ServingSection(Section):
    """The endpoint."""

    model_config = ConfigDict(title="Serving")

    engine: Literal["auto", "transformers", "vllm"] = Field(
        "auto", description="What computes in our own server. auto: vllm where it is installed, else transformers."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Computing type of the server."
    )
    max_batch_size: int = Field(32, ge=1, le=1024, description="Requests that are computed together.")
    max_queue: int = Field(1024, ge=1, description="Requests that may wait; further ones are refused for the moment.")
    request_seconds: float = Field(600, gt=0, description="Longest time for one request, its wait included.")
    prefix_megabytes: int = Field(
        256, ge=0, description="Memory for beginnings that prompts share, which are then read once. 0: none."
    )
    max_model_length: int = Field(2048, ge=64, description="Longest prompt and answer together, in tokens.")
    startup_minutes: float = Field(10, gt=0, le=120, description="The endpoint must be healthy within so many minutes.")
    expires_after_hours: float = Field(
        1, gt=0, le=24 * 365, description="An endpoint stops by itself after so many hours, whoever forgot it."
    )


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


class EvaluationSection(Section):
    """How the answers are judged."""

    model_config = ConfigDict(title="Evaluation")

    rows: int = Field(200, ge=1, description="Test rows that are asked, the same for base and tuned model.")
    metric: Literal["execution", "execution_caseless", "exact_match", "execution_real"] = Field(
        "execution", description="The score that the gate looks at. execution: both queries give the same rows."
    )
    databases: int = Field(5, ge=1, le=50, description="Databases made up for each row, on which both queries are run.")
    real_databases: RealDatabases | None = Field(
        None, description="Databases of your own, for the score execution_real."
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
    max_new_tokens: int = Field(256, ge=1, description="Longest answer in tokens.")
    concurrency: int = Field(32, ge=1, le=1024, description="Requests under way at once.")
    timeout_seconds: float = Field(600, gt=0, description="Longest wait for one answer.")

    @model_validator(mode="after")
    def _has_what_the_metric_needs(self) -> Self:
        if self.metric == "execution_real" and self.real_databases is None:
            raise ValueError("metric: execution_real needs real_databases")
        return self


class GateSection(Section):
    """When the tuned model may serve."""

    model_config = ConfigDict(title="Gate")

    min_score: float = Field(0.0, ge=0, le=1, description="Least score of the tuned model.")
    min_gain: float = Field(0.0, ge=-1, le=1, description="Least gain over the base model on the same rows.")
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="The gain must be shown with this confidence (exact McNemar test)."
    )


Problem = TextToSql
