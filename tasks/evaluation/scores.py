"""Scores: summed up from the verdicts on single rows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import Field

from finetune_flows.tasks.base.statistics import Comparison, Estimate, Proportion, bootstrap
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.endpoints.asking import TEMPERATURE
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict


class Decoding(Frozen):
    """How the answers were generated."""

    temperature: float
    max_new_tokens: int


class Latency(Frozen):
    """Seconds from request to answer, over the answered rows."""

    mean: float
    p50: float
    p95: float


class Scores(Frozen):
    """Scores of one evaluation with their 95 % intervals, and the conditions under which they were measured."""

    n: int
    not_evaluable: int = Field(description="Rows that the execution metrics leave out.")
    errors: int = Field(description="Rows whose request failed. They count as wrong.")
    failed_requests: int = Field(description="Requests that failed, including those that succeeded on retry.")
    metrics: dict[str, Proportion]
    estimates: dict[str, Estimate] = Field({}, description="Scores that are not shares of rows.")
    details: dict[str, Any] = Field({}, description="What else the problem's judge found: tables, a confusion matrix.")
    who: str = Field("model", description="Who answered: base model, linear baseline, tuned model, endpoint.")
    slices: dict[str, dict[str, dict[str, Proportion]]] = Field(
        description="Metrics of the rows in each part, by name of the division and of the part."
    )
    kinds: dict[str, int] = Field(description="Number of verdicts of each kind, the most frequent first.")
    differences: dict[str, int] = Field(
        description="Number of wrong answers with each difference; an answer may have several."
    )
    latency: Latency | None
    requests_per_second: float | None = Field(description="Answers per second of time with at least one open request.")
    prompt_tokens: int
    completion_tokens: int
    decoding: Decoding
    judge: dict[str, str | int | bool] = Field(description="What the verdicts depend on besides the answers.")
    dataset_digest: str
    model_digest: str

    @property
    def rows_by_part(self) -> dict[str, dict[str, int]]:
        """How many rows are in each part, those too that a metric leaves out where another does not."""
        return {
            division: {part: max((score.n for score in metrics.values()), default=0) for part, metrics in parts.items()}
            for division, parts in self.slices.items()
        }

    @property
    def error_rate(self) -> float:
        """Share of the requests that failed, including those that succeeded on retry."""
        requests = self.failed_requests + self.n - self.errors
        return self.failed_requests / requests if requests else 0.0


@dataclass(frozen=True)
class About:
    """What the scores describe: whose answers, on which test, how they were generated and judged."""

    dataset_digest: str
    model_digest: str
    who: str = "model"
    timed: bool = True
    """Whether an endpoint was asked, so that latencies were measured."""
    max_new_tokens: int = 256
    judge: dict[str, str | int | bool] = field(default_factory=dict)


def summarise(judged: Judged, answers: Sequence[Answer], about: About) -> Scores:
    """Sums up the verdicts and the answers they belong to."""
    verdicts = judged.verdicts
    answered = [answer for answer in answers if answer.error is None]
    return Scores(
        n=len(verdicts),
        not_evaluable=sum(not verdict.evaluable for verdict in verdicts),
        errors=len(answers) - len(answered),
        failed_requests=sum(answer.failed_tries for answer in answers),
        metrics=_metrics(verdicts),
        estimates=judged.estimates,
        details=judged.details,
        who=about.who,
        slices=_slices(verdicts),
        kinds=dict(Counter(verdict.kind for verdict in verdicts).most_common()),
        differences=dict(Counter(kind for verdict in verdicts for kind in set(verdict.differences)).most_common()),
        latency=_latency(answered) if about.timed else None,
        requests_per_second=_rate(answered) if about.timed else None,
        prompt_tokens=sum(answer.prompt_tokens for answer in answered),
        completion_tokens=sum(answer.completion_tokens for answer in answered),
        decoding=Decoding(temperature=TEMPERATURE, max_new_tokens=about.max_new_tokens),
        judge=about.judge,
        dataset_digest=about.dataset_digest,
        model_digest=about.model_digest,
    )


def compare(metric: str, first: Iterable[Verdict], second: Iterable[Verdict]) -> Comparison:
    """How the second model differs from the first in a metric, on the rows where both could be judged."""
    pairs, groups = paired(metric, first, second)
    return Comparison.of(pairs).model_copy(update={"bootstrap": bootstrap(pairs, groups)})


def paired(
    metric: str, first: Iterable[Verdict], second: Iterable[Verdict]
) -> tuple[list[tuple[bool, bool]], list[str]]:
    """(first right, second right) of every row where both could be judged, and the group of each such row."""
    known = {verdict.id: verdict.outcomes.get(metric) for verdict in first}
    pairs: list[tuple[bool, bool]] = []
    groups: list[str] = []
    for verdict in second:
        a, b = known.get(verdict.id), verdict.outcomes.get(metric)
        if a is not None and b is not None:
            pairs.append((a, b))
            groups.append(verdict.group or verdict.id)
    return pairs, groups


def _slices(verdicts: Sequence[Verdict]) -> dict[str, dict[str, dict[str, Proportion]]]:
    parts: dict[str, dict[str, list[Verdict]]] = {}
    for verdict in verdicts:
        for division, part in verdict.slices.items():
            parts.setdefault(division, {}).setdefault(part, []).append(verdict)
    return {
        division: {part: _metrics(members) for part, members in sorted(parted.items())}
        for division, parted in parts.items()
    }


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
    """Answers per second."""
    # Answers may come from several runs, days apart: only time with an open request counts.
    busy, until = 0.0, 0.0
    for start, end in sorted((answer.asked_at, answer.asked_at + answer.latency_seconds) for answer in answered):
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return len(answered) / busy if busy else None
