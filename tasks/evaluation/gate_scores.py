"""Conditions on scores that are not shares of rows (F1, ROUGE, chrF): by bootstrap, paired if two models are compared.

Rows are drawn with replacement, or whole groups if there are enough of them, with the same draws for both models. A
condition passes if all but 1 - confidence of the draws are above its bound (percentiles; B. Efron, R. Tibshirani, "An
introduction to the bootstrap", 1993, chapter 13).
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from finetune_flows.tasks.base.statistics import drawn_together, resample
from finetune_flows.tasks.evaluation.conditions import Condition, Outcome, sentences, too_few
from finetune_flows.tasks.evaluation.paired import POWER
from finetune_flows.tasks.evaluation.scores import Scores
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.sections.gate import GateSection

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Measured(NamedTuple):
    """The scores of one model, and the verdict on every row."""

    scores: Scores
    verdicts: Sequence[Verdict]


class Draws(NamedTuple):
    """A score, or a difference of two scores, and its values on resampled rows."""

    value: float
    drawn: "NDArray[Any]"
    n: int

    def quantile(self, share: float) -> float:
        """The value below which this share of the draws lies."""
        import numpy as np

        return float(np.quantile(self.drawn, share))

    @property
    def spread(self) -> float:
        """Standard error."""
        return float(self.drawn.std(ddof=1))


def score_conditions(
    problem: Problem, gate: GateSection, tuned: Measured, base: Measured, champion: Measured | None
) -> Iterator[Condition]:
    """The conditions that the recipe sets in gate.scores."""
    for name, limits in gate.scores.items():
        if limits.min_score is not None:
            found = drawn_score(problem, name, [tuned])
            seen = f"{name} {found.value:.3f} on {found.n} rows"
            yield _judge(f"scores.{name}.min_score", found, limits.min_score, gate.confidence, seen)
        asked = [("min_gain", limits.min_gain, base, f"the {base.scores.who}")]
        if champion and limits.max_loss is not None:
            asked.append(("max_loss", -limits.max_loss, champion, "the champion"))
        for field, bound, first, whom in asked:
            if bound is not None:
                found = drawn_score(problem, name, [first, tuned])
                seen = f"{name} {found.value:+.3f} against {whom} on the same {found.n} rows"
                yield _judge(f"scores.{name}.{field}", found, bound, gate.confidence, seen)


def _judge(name: str, found: Draws, bound: float, confidence: float, seen: str) -> Condition:
    """Do the draws show that the score is above the bound, that it is not, or neither?"""
    low, high = found.quantile(1 - confidence), found.quantile(confidence)
    outcome: Outcome = "passed" if low > bound else "refused" if high < bound else "cannot tell"
    reach = _reach(confidence) * found.spread
    # Rows needed by the normal approximation, with the bootstrap's standard error.
    distance = abs(found.value - bound)
    needed = too_few(found.n, math.ceil(found.n * (reach / distance) ** 2) if distance else None)
    test = f"bootstrap, {confidence:.0%} of the draws are above {low:.3f}"
    doubt = f"{needed}; {found.n} rows can show {reach:.3f}"
    reason = sentences(outcome, seen, f"more than {bound:.3f}", test, doubt)
    return Condition(name=name, outcome=outcome, reason=reason)


def _reach(confidence: float) -> float:
    """The distance from a bound, in standard errors, that is shown nine times out of ten."""
    from scipy.stats import norm

    return float(norm.ppf(confidence) + norm.ppf(POWER))


def drawn_score(problem: Problem, name: str, models: Sequence[Measured]) -> Draws:
    """The score of one model, or the second model's score minus the first's, on the rows where all were judged."""
    import numpy as np

    known = set.intersection(*({verdict.id for verdict in model.verdicts} for model in models))
    rows = [[verdict for verdict in model.verdicts if verdict.id in known] for model in models]
    rows = [sorted(each, key=lambda verdict: verdict.id) for each in rows]
    statistics = [problem.statistic(name, each, model.scores.details) for each, model in zip(rows, models, strict=True)]

    def difference(weights: "NDArray[Any]") -> "NDArray[Any]":
        first, *second = (statistic(weights) for statistic in statistics)
        return second[0] - first if second else first

    n = len(rows[0])
    places = drawn_together([verdict.group or verdict.id for verdict in rows[0]])
    return Draws(float(difference(np.ones((1, n)))[0]), resample(difference, places), n)
