"""Pairs of queries in a file, judged without a model or a recipe: what `finetune judge` does."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import AliasChoices, ConfigDict, Field, ValidationError, field_validator, model_validator

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.dataset.source import find_source
from finetune_flows.tasks.problems.text_to_sql.extract import extract_sql
from finetune_flows.tasks.problems.text_to_sql.verdicts import kind_of
from finetune_flows.tasks.problems.wrong_answers import Difference, Telling
from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.real.database import DIALECTS, RealDatabase
from finetune_flows.tasks.sql.real.judging import RealPair
from finetune_flows.tasks.sql.workers import SqlWorkers

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Dialect = Literal["sqlite", "duckdb", "postgres", "mysql"]
Verdict = Literal["right", "wrong", "invalid", "not_evaluable"]

MOST_PROBLEMS = 20
MOST_CHARACTERS = 80  # of a row in a reason
_OTHER_NAMES = {"postgresql": "postgres", "mariadb": "mysql", "sqlite3": "sqlite"}
_SECONDS, _ROWS = 10.0, 20_000  # of one query on a database that somebody has


class PairRow(Frozen):
    """One line of the file: a gold query, a prediction, and the schema or the database to judge them on."""

    # People's files have more columns than we read: the question, the model's name, their own scores.
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=False)

    context: str | None = Field(None, validation_alias=AliasChoices("schema", "context"), description="DDL.")
    db: str | None = Field(
        None, description="SQLite or DuckDB file, or URL of a database, to judge on instead of made-up rows."
    )
    gold: str = Field(min_length=1, validation_alias=AliasChoices("gold", "answer"))
    prediction: str = Field(description="The query, or a model's answer that contains one.")
    dialect: Dialect

    @field_validator("dialect", mode="before")
    @classmethod
    def _by_its_other_name(cls, value: object) -> object:
        return _OTHER_NAMES.get(value.lower(), value.lower()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _says_where_to_judge(self) -> "PairRow":
        if not (self.context or self.db):
            raise ValueError("give a schema (CREATE TABLE ...) or a db (file or URL)")
        if self.db and "://" in self.db and self.db.partition("://")[0] not in DIALECTS:
            raise ValueError(f"db: the URL must begin with one of {', '.join(f'{name}://' for name in DIALECTS)}")
        return self


class PairVerdict(Frozen):
    """What became of one pair."""

    verdict: Verdict = Field(
        description="right: the prediction returns the gold's rows on every database. wrong: it does not. invalid: it "
        "does not run. not_evaluable: the pair cannot be judged."
    )
    reason: str
    engine: str = Field(description="Where both queries ran.")
    kind: str = Field(description="Right, the most telling difference, or why it cannot be judged.")
    differences: list[Difference] = Field(default_factory=list)
    rows: Telling | None = Field(None, description="What both return on the first database that tells them apart.")


def read_pairs(path: Path, dialect: str) -> list[PairRow]:
    """The pairs of a file of JSON lines, JSON, CSV or Parquet. `dialect`: of rows that name none.

    Raises:
        DatasetError: the file cannot be read, or rows of it are unusable; names each with its line.
    """
    pairs: list[PairRow] = []
    problems: list[str] = []
    for row in find_source(str(path), None, "train").rows():
        if row.values is None:
            problems.append(f"line {row.line}: {': '.join(filter(None, row.problem or ('cannot be read',)))}")
            continue
        given = {name: value for name, value in row.values.items() if value is not None}
        if "prediction" in row.values:
            given.setdefault("prediction", "")  # a model that gave no answer
        given.setdefault("dialect", _dialect_of(given.get("db"), dialect))
        try:
            pairs.append(PairRow.model_validate(given))
        except ValidationError as error:
            problems += [f"line {row.line}: {_words(each)}" for each in error.errors()]
    if problems:
        more = [f"and {len(problems) - MOST_PROBLEMS:,} more"] if len(problems) > MOST_PROBLEMS else []
        listed = "\n".join(f"  - {problem}" for problem in [*problems[:MOST_PROBLEMS], *more])
        raise DatasetError(f"{path}: nothing was judged, because these rows cannot be:\n{listed}")
    if not pairs:
        raise DatasetError(f"{path}: holds no rows")
    return pairs


def _dialect_of(database: object, otherwise: str) -> str:
    """What a database speaks, where its URL says so."""
    return DIALECTS.get(database.partition("://")[0], otherwise) if isinstance(database, str) else otherwise


def judge_pairs(
    pairs: Sequence[PairRow], databases: int, password_variable: str | None = None
) -> Iterator[PairVerdict]:
    """The verdicts, in the order of the pairs.

    `databases`: how many are made up for a pair. `password_variable`: environment variable with the password of `db` URLs.

    Raises:
        EnvironmentProblem: no worker process can be started.
    """
    asked = [_to_judge(pair, databases, password_variable) for pair in pairs]
    with SqlWorkers(password_variable=password_variable) as workers:
        for pair, outcome in zip(asked, workers.judge_all(asked), strict=True):
            yield _verdict(pair, outcome, databases)


def _to_judge(pair: PairRow, databases: int, password_variable: str | None) -> SqlPair | RealPair:
    prediction = extract_sql(pair.prediction, pair.dialect)
    if pair.db:
        is_duckdb = pair.dialect == "duckdb" and "://" not in pair.db
        source = f"duckdb:///{Path(pair.db).expanduser().absolute()}" if is_duckdb else pair.db
        database = RealDatabase(source, password_variable if "://" in source else None, _SECONDS, _ROWS)
        return RealPair(pair.gold, prediction, pair.dialect, database)
    return SqlPair(pair.context or "", pair.gold, prediction, pair.dialect, databases)


def _verdict(pair: SqlPair | RealPair, outcome: SqlOutcome, databases: int) -> PairVerdict:
    kind = kind_of(pair.prediction, outcome)
    verdict, reason = _judged(outcome, kind)
    if verdict == "right":
        where = "the database" if isinstance(pair, RealPair) else f"{databases} made-up databases"
        reason = f"returns the gold's rows on {where}"
    engine = outcome.engine or (pair.database.dialect if isinstance(pair, RealPair) else pair.dialect)
    if isinstance(pair, RealPair) and engine != pair.dialect and verdict != "not_evaluable":
        reason += f" (both translated from {pair.dialect} to {engine})"
    if outcome.translated and verdict != "not_evaluable":
        reason += f" (translated to SQLite: {outcome.translated})"
    return PairVerdict(
        verdict=verdict,
        reason=reason,
        engine=engine,
        kind=kind,
        differences=outcome.differences,
        rows=outcome.telling,
    )


def _judged(outcome: SqlOutcome, kind: str) -> tuple[Verdict, str]:
    """The verdict and why, except of a right prediction."""
    if outcome.obstacle:
        return "not_evaluable", outcome.detail or _OBSTACLES[outcome.obstacle]
    if not outcome.valid:
        no_query = kind in ("no query", "no answer")
        return "invalid", "the answer holds no query" if no_query else outcome.error or "it does not run"
    if outcome.execution:
        return "right", ""
    if outcome.caseless:
        return "wrong", "returns the gold's rows but for the case of letters"
    return "wrong", _told(outcome.telling) if outcome.telling else "returns other rows than the gold"


def _told(telling: Telling) -> str:
    """What both returned on the database that tells them apart."""
    gold, prediction = telling["gold"], telling["prediction"]
    if telling["error"]:
        return telling["error"]
    if telling["gold_rows"] != telling["prediction_rows"]:
        return f"returns {_rows(telling['prediction_rows'])}, the gold {_rows(telling['gold_rows'])}"
    if sorted(gold) == sorted(prediction):
        return "returns the gold's rows in another order"
    return f"returns ({_cut(prediction[0])}), the gold ({_cut(gold[0])})"


def _cut(row: str) -> str:
    return row if len(row) <= MOST_CHARACTERS else row[: MOST_CHARACTERS - 3] + "..."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


_OBSTACLES = {
    "gold_empty": "the gold finds nothing on any made-up database",
    "gold_arbitrary": "the gold's rows depend on the order in which rows are stored",
    "gold_fails": "the gold does not run",
    "schema_unreadable": "the schema cannot be read",
    "killed": "the gold takes too long or too much memory",
    "no_database": "the database cannot be opened",
    "no_engine": "the dialect's own engine is missing",
}


_FAULTS = {"missing": "missing", "string_too_short": "empty", "string_type": "not text"}


def _words(error: "ErrorDetails") -> str:
    place, message = ".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error":
        message = f"{error['input']!r} is none of {', '.join(get_args(Dialect))}"
    message = _FAULTS.get(error["type"], message)
    return f"{place}: {message}" if place else message
