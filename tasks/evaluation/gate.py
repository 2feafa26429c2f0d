"""The gate: may the tuned model serve? Every condition gives its figures, whether it passed or not.

Each condition has three outcomes: passed (the rows show it, with the recipe's confidence), refused (they show the
opposite), and cannot tell (neither; the reason says how many rows would do). All conditions must pass, so the chance of
passing wrongly is at most that of one condition (an intersection-union test), and needs no correction for their number.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import Field

from finetune_flows.tasks.base.statistics import Comparison, Proportion, bootstrap
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.evaluation.conditions import Condition, Outcome, sentences, too_few
from finetune_flows.tasks.evaluation.gate_scores import Measured, score_conditions
from finetune_flows.tasks.evaluation.paired import (
    differing_share,
    p_above,
    rows_needed,
    rows_needed_for_share,
    smallest_difference,
)
from finetune_flows.tasks.evaluation.scores import compare, paired
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.sections.gate import GateSection


class Decision(Frozen):
    """What the gate decided, and why."""

    metric: str
    outcome: Outcome
    conditions: list[Condition]
    base: Proportion
    tuned: Proportion
    champion: Proportion | None = Field(None, description="None if there is none, or it is the tuned model itself.")
    comparison: Comparison = Field(description="The tuned model against its base model.")
    champion_comparison: Comparison | None = Field(None, description="The tuned model against the champion.")

    @property
    def passed(self) -> bool:
        """Whether the model may serve. "Cannot tell" does not pass."""
        return self.outcome == "passed"

    @property
    def reasons(self) -> list[str]:
        """One sentence for each condition."""
        return [f"{condition.outcome}: {condition.reason}" for condition in self.conditions]


def decide(
    problem: Problem,
    gate: GateSection,
    metric: str,
    tuned: Measured,
    base: Measured,
    champion: Measured | None = None,
) -> Decision:
    """Judges the tuned model by the recipe's conditions. All models must have answered the same rows."""
    conditions = list(_Case(problem, gate, metric, tuned, base, champion).conditions())
    outcomes = {condition.outcome for condition in conditions}
    return Decision(
        metric=metric,
        outcome="refused" if "refused" in outcomes else "cannot tell" if "cannot tell" in outcomes else "passed",
        conditions=conditions,
        base=base.scores.metrics[metric],
        tuned=tuned.scores.metrics[metric],
        champion=champion.scores.metrics[metric] if champion else None,
        comparison=compare(metric, base.verdicts, tuned.verdicts),
        champion_comparison=compare(metric, champion.verdicts, tuned.verdicts) if champion else None,
    )


@dataclass(frozen=True)
class _Case:
    """The tuned model, the models it is compared with, and the conditions of the recipe."""

    problem: Problem
    gate: GateSection
    metric: str
    tuned: Measured
    base: Measured
    champion: Measured | None

    def conditions(self) -> Iterator[Condition]:
        """Each condition that the recipe sets."""
        gate, scores = self.gate, self.tuned.scores
        if gate.min_score:
            yield _at_least(gate, scores.metrics[self.metric])
        yield self._better("min_gain", gate.min_gain, self.base, f"the {self.base.scores.who}")
        if self.champion and gate.max_loss is not None:
            yield self._better("max_loss", -gate.max_loss, self.champion, "the champion")
        yield from score_conditions(self.problem, gate, self.tuned, self.base, self.champion)
        if gate.max_latency_seconds is not None and scores.latency:
            p95, most = scores.latency.p95, gate.max_latency_seconds
            yield _limit("max_latency_seconds", p95, most, "the p95 latency", "{:.2f} s".format)
        if gate.max_error_rate is not None:
            yield _limit("max_error_rate", scores.error_rate, gate.max_error_rate, "the error rate", "{:.1%}".format)
        for limit in self.problem.limits(gate, scores.metrics):
            yield _limit(*limit, "{:.1%}".format)

    def _better(self, name: str, bound: float, other: Measured, whom: str) -> Condition:
        """Is the tuned model better than the other by more than `bound`? A negative bound is a permitted loss."""
        confidence, alpha = self.gate.confidence, 1 - self.gate.confidence
        found = compare(self.metric, other.verdicts, self.tuned.verdicts)
        one_way, other_way, n = found.only_first, found.only_second, found.n
        above = float(p_above(one_way, other_way, n, bound)) if n else 1.0
        below = float(p_above(other_way, one_way, n, -bound)) if n else 1.0
        # The test treats rows as independent. Rows about one schema are not, so if there are enough groups to draw from,
        # the bootstrap over whole groups must agree.
        # The ends of a two-sided interval at 2c - 1 are the one-sided bounds at c.
        drawn = bootstrap(*paired(self.metric, other.verdicts, self.tuned.verdicts), 2 * confidence - 1)
        low, high = (drawn.low, drawn.high) if drawn and drawn.drawn == "groups" else (math.inf, -math.inf)
        seen = f"{found.difference * 100:+.1f} points against {whom} on the same {n} rows"
        # A permitted loss of 100 points excludes nothing, whatever the test says.
        if n and bound <= -1:
            return Condition(name=name, outcome="passed", reason=f"{seen}. Any difference is permitted")
        outcome: Outcome = "cannot tell"
        doubt = f"Enough if rows were independent, but with whole schemas drawn it is only {low * 100:+.1f} or more"
        if n and above <= alpha and low > bound:
            outcome = "passed"
        elif below <= alpha and high < bound:
            outcome = "refused"
        elif above > alpha:
            share = differing_share(one_way, other_way, n)
            shown = f"{n} rows can show {smallest_difference(n, share, confidence) * 100:.1f} points"
            doubt = f"{too_few(n, rows_needed(found.difference, share, bound, confidence))}; {shown}"
        test = f"{'exact McNemar' if bound == 0 else 'Tango score'} test, one-sided, p = {above:.2g}"
        return Condition(name=name, outcome=outcome, reason=sentences(outcome, seen, _wanted(bound), test, doubt))


def _at_least(gate: GateSection, score: Proportion) -> Condition:
    """Is the score at least `gate.min_score`? By the exact binomial test, one-sided either way."""
    from scipy.stats import binom  # imported here: it takes a second, which commands without scores save

    least, alpha = gate.min_score, 1 - gate.confidence
    above = float(binom.sf(score.successes - 1, score.n, least))
    below = float(binom.cdf(score.successes, score.n, least))
    seen = f"a score of {score.value:.1%} on {score.n} rows"
    outcome: Outcome = "cannot tell"
    if score.n and above <= alpha:
        outcome = "passed"
    elif score.n and below <= alpha:
        outcome = "refused"
    doubt = too_few(score.n, rows_needed_for_share(score.value, least, gate.confidence))
    test = f"exact binomial test, one-sided, p = {above:.2g}"
    reason = sentences(outcome, seen, f"at least {least:.1%}", test, doubt)
    return Condition(name="min_score", outcome=outcome, reason=reason)


def _wanted(bound: float) -> str:
    points = f"{abs(bound) * 100:.1f} points"
    return "a gain" if not bound else f"a gain of more than {points}" if bound > 0 else f"no loss of {points} or more"


def _limit(name: str, value: float, limit: float, what: str, show: Callable[[float], str]) -> Condition:
    """Compares the value as it was measured, without a test."""
    held = value <= limit
    relation = "is within" if held else "is above"
    reason = f"{what} of {show(value)} {relation} the limit of {show(limit)}"
    return Condition(name=name, outcome="passed" if held else "refused", reason=reason)
