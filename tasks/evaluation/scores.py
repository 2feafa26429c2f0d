"""Verdicts on single rows, and the scores that they add up to."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.evaluation.answers import TEMPERATURE, Answer
from tasks.evaluation.statistics import Comparison, Proportion
from tasks.recipe.sections import EvaluationSection


class Verdict(BaseModel):
    """What the judge says of one answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    slice: str | None = None
    outcomes: dict[str, bool | None] = Field(description="By metric: right, wrong, or None where it cannot be told.")
    kind: str = Field(description="Right, or in which way it is wrong, or why it cannot be told.")
    evaluable: bool = True
    extracted: str | None = Field(None, description="What was taken out of the answer and judged.")
    error: str | None = Field(None, description="Why the answer, or the right answer of the row, does not run.")


class Decoding(BaseModel):
    """How the answers were generated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float
    max_new_tokens: int


class Latency(BaseModel):
    """Seconds from request to answer, over the rows that were answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    p50: float
    p95: float


class Scores(BaseModel):
    """One evaluation: n rows asked, metrics with 95 % intervals, and what the figures hold for."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    n: int
    not_evaluable: int = Field(description="Rows that the execution metrics leave out.")
    errors: int = Field(description="Rows whose request failed. They count as wrong.")
    metrics: dict[str, Proportion]
    slices: dict[str, dict[str, Proportion]] = Field(description="The metrics of each slice's rows.")
    kinds: dict[str, int] = Field(description="How many verdicts of each kind, the most frequent first.")
    latency: Latency | None
    requests_per_second: float | None = Field(description="Answers over the time in which at least one was awaited.")
    prompt_tokens: int
    completion_tokens: int
    decoding: Decoding
    dataset_digest: str
    model_digest: str


def summarise(
    verdicts: Sequence[Verdict],
    answers: Sequence[Answer],
    section: EvaluationSection,
    *,
    dataset_digest: str,
    model_digest: str,
) -> Scores:
    """Add up verdicts and the answers that they were passed on."""
    slices: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.slice is not None:
            slices.setdefault(verdict.slice, []).append(verdict)
    answered = [answer for answer in answers if answer.error is None]
    return Scores(
        n=len(verdicts),
        not_evaluable=sum(not verdict.evaluable for verdict in verdicts),
        errors=len(answers) - len(answered),
        metrics=_metrics(verdicts),
        slices={name: _metrics(slices[name]) for name in sorted(slices)},
        kinds=dict(Counter(verdict.kind for verdict in verdicts).most_common()),
        latency=_latency(answered),
        requests_per_second=_rate(answered),
        prompt_tokens=sum(answer.prompt_tokens for answer in answered),
        completion_tokens=sum(answer.completion_tokens for answer in answered),
        decoding=Decoding(temperature=TEMPERATURE, max_new_tokens=section.max_new_tokens),
        dataset_digest=dataset_digest,
        model_digest=model_digest,
    )


def compare(metric: str, first: Iterable[Verdict], second: Iterable[Verdict]) -> Comparison:
    """How the second model differs from the first in a metric, on the rows where it could be told of both."""
    known = {verdict.id: outcome for verdict in first if (outcome := verdict.outcomes.get(metric)) is not None}
    outcomes = ((known.get(verdict.id), verdict.outcomes.get(metric)) for verdict in second)
    return Comparison.of((a, b) for a, b in outcomes if a is not None and b is not None)


def _metrics(verdicts: Sequence[Verdict]) -> dict[str, Proportion]:
    names = dict.fromkeys(name for verdict in verdicts for name in verdict.outcomes)
    return {name: Proportion.among(verdict.outcomes.get(name) for verdict in verdicts) for name in names}


def _latency(answered: Sequence[Answer]) -> Latency | None:
    if not answered:
        return None
    seconds = np.array([answer.latency_seconds for answer in answered])
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    return Latency(mean=float(seconds.mean()), p50=float(p50), p95=float(p95))


def _rate(answered: Sequence[Answer]) -> float | None:
    """Answers may come from several runs with days between them: only the time with a request under way counts."""
    busy, until = 0.0, 0.0
    for start, end in sorted((answer.asked_at, answer.asked_at + answer.latency_seconds) for answer in answered):
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return len(answered) / busy if busy else None
