"""Verdicts on text-to-SQL answers.

exact_match            the answer equals the gold query, apart from surrounding spaces
exact_match_extracted  the SQL extracted from the answer equals the gold query
ast_match              the extracted SQL equals the gold query after normalisation (see `sql/normalise.py`)
valid_sql              the extracted SQL runs on the schema; the share of invalid SQL is 1 minus this score
execution              it returns the rows of the gold query on every generated database
execution_as_given     the same, and the answer contains nothing but the SQL
execution_caseless     the same as execution, ignoring the case of ASCII letters in text
execution_real         it returns the rows of the gold query on the row's real database, if the recipe names one

A chat model that was not tuned wraps its SQL in words and code fences. Only `exact_match` and `execution_as_given` count
that against it. A row is not evaluable if its gold query does not run, returns nothing on every database, or returns rows
that depend on storage order: its `execution` is None, and such rows are counted separately.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq

from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.example import normalise
from finetune_flows.tasks.problems.text_to_sql.extract import extract_sql, holds_query
from finetune_flows.tasks.problems.text_to_sql.real import real_outcomes
from finetune_flows.tasks.problems.text_to_sql.settings import SqlJudging
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer
from finetune_flows.tasks.sql.compare import Rules
from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.query_features import SeenTables, question_length
from finetune_flows.tasks.sql.workers import SqlWorkers

_FAILURES = (
    # Engines say the same in other words: SQLite, DuckDB, PostgreSQL, MariaDB.
    (r"no such function|Function with name|^function .* does not exist|for routine", "unknown function"),
    (r"ambiguous", "ambiguous column"),
    (r"no such table|Table with name|relation .* does not exist|Table .* doesn't exist", "unknown table"),
    (r"no such column|Referenced column|column .* does not exist|Unknown column", "unknown column"),
    (r"syntax error|error in your SQL syntax|incomplete input|unrecognized token", "does not parse"),
    (r"stopped after|returns more than|needs more than|killed", "over a limit"),
)
"""Kinds by words in the error of the engine or the sandbox, the first that fits. Any other error "does not run"."""


def judge(
    rows: Sequence[TestRow],
    answers: Mapping[str, str],
    dialect: str,
    judging: SqlJudging,
    seen: SeenTables | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Judged:
    """Judges every row. `answers`: raw text by row id; a row without an answer is wrong.

    `seen`: the tables of the training rows. `on_progress` gets the number of judged rows.

    Raises:
        EnvironmentProblem: no worker process can be started.
        TryLater: a real database cannot be reached.
    """
    pairs = [_pair(row, answers.get(row.id, ""), dialect, judging) for row in rows]
    judged = Judged()
    with SqlWorkers() as workers, real_outcomes(judging.real_databases, rows, pairs) as on_real:
        for row, pair, outcome, real in zip(rows, pairs, workers.judge_all(pairs), on_real, strict=True):
            text = answers.get(row.id, "")
            verdict = _verdict(row, text, pair.prediction, outcome, real, seen)
            judged.verdicts.append(verdict)
            if outcome.execution is False:
                judged.wrong.append(_wrong(row, text, verdict, outcome))
            if on_progress:
                on_progress(len(judged.verdicts))
    return judged


def seen_tables(train: Path) -> SeenTables:
    """The tables of the training rows, from their Parquet file."""
    return SeenTables(_contexts(train))


def _contexts(train: Path) -> Iterator[str]:
    with pq.ParquetFile(train) as file:
        for batch in file.iter_batches(columns=["fields.context"]):
            yield from (fields["context"] for fields in batch.column("fields").to_pylist())


def _pair(row: TestRow, text: str, dialect: str, judging: SqlJudging) -> SqlPair:
    return SqlPair(
        context=row.fields["context"],
        gold=row.fields["answer"],
        prediction=extract_sql(text, dialect),
        dialect=dialect,
        databases=judging.databases,
        rules=Rules(judging.permute_columns, judging.keep_distinct, judging.as_sets),
    )


def _verdict(
    row: TestRow, text: str, sql: str, outcome: SqlOutcome, real: SqlOutcome | None, seen: SeenTables | None
) -> Verdict:
    gold, context = row.fields["answer"].strip(), row.fields["context"]
    bare = text.strip().rstrip("; \n") == sql
    return Verdict(
        id=row.id,
        slices=_slices(row, outcome, seen),
        group=sha256(normalise(context).encode()).hexdigest()[:12],
        outcomes={
            "exact_match": text.strip() == gold,
            "exact_match_extracted": sql == gold.rstrip("; \n"),
            "ast_match": outcome.ast_match,
            "valid_sql": outcome.valid,
            "execution": outcome.execution,
            "execution_as_given": outcome.execution and bare,
            "execution_caseless": outcome.caseless,
            **({"execution_real": real.execution} if real else {}),
        },
        kind=kind_of(sql, outcome),
        differences=list(dict.fromkeys(difference["kind"] for difference in outcome.differences)),
        evaluable=outcome.obstacle is None,
        extracted=sql,
        error=outcome.detail or outcome.error,
    )


def _slices(row: TestRow, outcome: SqlOutcome, seen: SeenTables | None) -> dict[str, str]:
    slices = {"slice": row.slice} if row.slice is not None else {}
    slices |= outcome.features
    if outcome.engine:
        slices["engine"] = outcome.engine
    slices["question"] = question_length(row.fields["question"])
    if seen:
        slices["schema"] = seen.share(row.fields["context"])
    return slices


def kind_of(sql: str, outcome: SqlOutcome) -> str:
    """Right, why the row is not evaluable, or the most informative error."""
    if outcome.obstacle:
        return f"not evaluable: {outcome.obstacle.replace('_', ' ')}"
    if outcome.execution:
        return "right"
    if outcome.caseless:
        return "right but for case"
    if not holds_query(sql):
        return "no query" if sql else "no answer"
    if not outcome.valid:
        error = outcome.error or ""
        return next((kind for words, kind in _FAILURES if re.search(words, error, re.IGNORECASE)), "does not run")
    return outcome.differences[0]["kind"] if outcome.differences else "otherwise"


def _wrong(row: TestRow, text: str, verdict: Verdict, outcome: SqlOutcome) -> WrongAnswer:
    return WrongAnswer(
        id=row.id,
        question=row.fields["question"],
        context=row.fields["context"],
        gold=row.fields["answer"],
        answer=text,
        prediction=verdict.extracted or "",
        kind=verdict.kind,
        language="sql",
        error=outcome.error,
        differences=outcome.differences,
        telling=outcome.telling,
    )
