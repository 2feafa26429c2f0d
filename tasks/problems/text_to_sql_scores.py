"""Text-to-SQL, answers to scores.

exact_match            the answer, as the model gave it, is the gold query letter for letter (spaces around it aside)
exact_match_extracted  the SQL taken out of the answer is
valid_sql              that SQL runs on the schema
execution              it gives the rows of the gold query, on every database made up for it
execution_caseless     the same, blind to the case of ASCII letters in text

A chat model that was not tuned wraps its SQL in words and code fences. That costs it `exact_match` only, so that it does
not look worse than it is. Rows whose gold query tells nothing (it does not run, finds nothing on any database, or its
answer is an accident of row order) are not evaluable: `execution` is None there, and they are counted apart.
"""

from collections.abc import Callable, Mapping, Sequence

from tasks.evaluation.answers import TestRow
from tasks.evaluation.scores import Verdict
from tasks.evaluation.sql.extract import extract_sql
from tasks.evaluation.sql.judging import SqlOutcome, SqlPair
from tasks.evaluation.sql.workers import SqlWorkers
from tasks.recipe.sections import EvaluationSection, TextToSql


def judge(
    problem: TextToSql,
    section: EvaluationSection,
    rows: Sequence[TestRow],
    answers: Mapping[str, str],
    on_progress: Callable[[int], None] | None = None,
) -> list[Verdict]:
    """A verdict on every row, in order. `answers`: raw text by row id; a row without one is wrong.

    `on_progress` is told how many rows are judged. Raises EnvironmentProblem when no worker process can be started.
    """
    pairs = [
        SqlPair(
            context=row.fields["context"],
            gold=row.fields["answer"],
            prediction=extract_sql(answers.get(row.id, "")),
            dialect=problem.dialect,
            databases=section.databases,
        )
        for row in rows
    ]
    verdicts = []
    with SqlWorkers() as workers:
        for row, pair, outcome in zip(rows, pairs, workers.judge_all(pairs), strict=True):
            verdicts.append(_verdict(row, answers.get(row.id, ""), pair.prediction, outcome))
            if on_progress:
                on_progress(len(verdicts))
    return verdicts


def _verdict(row: TestRow, text: str, sql: str, outcome: SqlOutcome) -> Verdict:
    gold = row.fields["answer"].strip()
    return Verdict(
        id=row.id,
        slice=row.slice,
        outcomes={
            "exact_match": text.strip() == gold,
            "exact_match_extracted": sql == gold.rstrip("; \n"),
            "valid_sql": outcome.valid,
            "execution": outcome.execution,
            "execution_caseless": outcome.caseless,
        },
        kind=_kind(sql, outcome),
        evaluable=outcome.obstacle is None,
        extracted=sql,
        error=outcome.detail or outcome.error,
    )


def _kind(sql: str, outcome: SqlOutcome) -> str:
    if outcome.obstacle:
        return f"not evaluable: {outcome.obstacle.replace('_', ' ')}"
    if outcome.execution:
        return "right"
    if outcome.caseless:
        return "right but for case"
    if not sql:
        return "no answer"
    return "wrong rows" if outcome.valid else "does not run"
