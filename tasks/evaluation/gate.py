"""The gate: may the tuned model serve? Every condition says what it saw, whether it held or not.

Each condition has three outcomes: passed (shown with the recipe's confidence), refused (the contrary is shown), and cannot
tell, which says how many rows would. All conditions must pass, so the chance that a model passes wrongly is at most that
of a single condition (an intersection-union test): nothing needs to be corrected for their number.
"""

import math
from collections.abc import Callable, Iterator

from pydantic import Field

from finetune_flows.tasks.base.statistics import Comparison, Proportion, bootstrap
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.evaluation.conditions import Condition, Outcome, would_tell
from finetune_flows.tasks.evaluation.gate_scores import Measured, score_conditions
from finetune_flows.tasks.evaluation.paired import (
    differing_share,
    p_above,
    rows_needed,
    rows_needed_for_share,
    smallest_difference,
)
from finetune_flows.tasks.evaluation.scores import compare, paired
from finetune_flows.tasks.sections.gate import GateSection


class Decision(Frozen):
    """What the gate decided, and why."""

    metric: str
    outcome: Outcome
    conditions: list[Condition]
    base: Proportion
    tuned: Proportion
    champion: Proportion | None = Field(None, description="None: there is none, or it is the tuned model itself.")
    comparison: Comparison = Field(description="The tuned model beside its base model.")
    champion_comparison: Comparison | None = Field(None, description="The tuned model beside the champion.")

    @property
    def passed(self) -> bool:
        """Whether it may serve. A gate that cannot tell lets nothing pass."""
        return self.outcome == "passed"

    @property
    def reasons(self) -> list[str]:
        """One sentence for each condition."""
        return [f"{condition.outcome}: {condition.reason}" for condition in self.conditions]


def decide(
    gate: GateSection, metric: str, tuned: Measured, base: Measured, champion: Measured | None = None
) -> Decision:
    """Judges the tuned model by the recipe's conditions. All models must have answered the same rows."""
    conditions = list(_conditions(gate, metric, tuned, base, champion))
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


def _conditions(
    gate: GateSection, metric: str, tuned: Measured, base: Measured, champion: Measured | None
) -> Iterator[Condition]:
    scores = tuned.scores
    if gate.min_score:
        yield _at_least(gate, scores.metrics[metric])
    yield _above("min_gain", gate, metric, base, tuned, gate.min_gain, f"the {base.scores.who}")
    if champion and gate.max_loss is not None:
        yield _above("max_loss", gate, metric, champion, tuned, -gate.max_loss, "the champion")
    yield from score_conditions(gate, tuned, base, champion)
    if gate.max_latency_seconds is not None and scores.latency:
        yield _limit(
            "max_latency_seconds", scores.latency.p95, gate.max_latency_seconds, "the p95 latency", "{:.2f} s".format
        )
    if gate.max_error_rate is not None:
        yield _limit("max_error_rate", scores.error_rate, gate.max_error_rate, "the error rate", "{:.1%}".format)
    if gate.max_invalid_sql is not None:
        invalid = 1 - scores.metrics.get("valid_sql", Proportion.of(0, 0)).value  # what no problem scores is not shown
        yield _limit("max_invalid_sql", invalid, gate.max_invalid_sql, "the share of invalid SQL", "{:.1%}".format)


def _at_least(gate: GateSection, score: Proportion) -> Condition:
    """The exact binomial test, one-sided either way."""
    from scipy.stats import binom  # takes a second, which a command that asks for no score need not wait

    least, alpha = gate.min_score, 1 - gate.confidence
    above = float(binom.sf(score.successes - 1, score.n, least))
    below = float(binom.cdf(score.successes, score.n, least))
    seen = f"a score of {score.value:.1%} (n = {score.n}); {least:.1%} wanted, p = {above:.2g}"
    if score.n and above <= alpha:
        return Condition(name="min_score", outcome="passed", reason=seen)
    if score.n and below <= alpha:
        return Condition(name="min_score", outcome="refused", reason=f"{seen}, surely less")
    needed = rows_needed_for_share(score.value, least, gate.confidence)
    return Condition(name="min_score", outcome="cannot tell", reason=seen + would_tell(needed))


def _above(
    name: str, gate: GateSection, metric: str, first: Measured, second: Measured, bound: float, whom: str
) -> Condition:
    """Is the second model better than the first by more than `bound`?

    The test takes rows for independent. Rows about one schema are not, so where there are groups enough to draw from, the
    bootstrap over whole groups must say the same.
    """
    found, alpha = compare(metric, first.verdicts, second.verdicts), 1 - gate.confidence
    one_way, other_way, n = found.only_first, found.only_second, found.n
    above = float(p_above(one_way, other_way, n, bound)) if n else 1.0
    below = float(p_above(other_way, one_way, n, -bound)) if n else 1.0
    drawn = bootstrap(*paired(metric, first.verdicts, second.verdicts), 2 * gate.confidence - 1)
    low, high = (drawn.low, drawn.high) if drawn and drawn.drawn == "groups" else (math.inf, -math.inf)
    wanted = f"a loss below {-bound * 100:.1f} points" if bound < 0 else f"more than {bound * 100:+.1f}"
    test = "exact McNemar, one-sided" if bound == 0 else "Tango's score test, one-sided"
    seen = f"{found.difference * 100:+.1f} points beside {whom} on the same {n} rows; {wanted} wanted ({test}, p = {above:.2g})"
    if n and (bound <= -1 or (above <= alpha and low > bound)):
        return Condition(name=name, outcome="passed", reason=seen)
    if below <= alpha and high < bound:
        return Condition(name=name, outcome="refused", reason=f"{seen}: surely not so")
    if above <= alpha:
        return Condition(
            name=name, outcome="cannot tell", reason=f"{seen}: but not when whole schemas are drawn ({low * 100:+.1f})"
        )
    share = differing_share(one_way, other_way, n)
    needed = rows_needed(found.difference, share, bound, gate.confidence)
    shows = f"; {n} rows can show {smallest_difference(n, share, gate.confidence) * 100:.1f} points"
    return Condition(name=name, outcome="cannot tell", reason=seen + would_tell(needed) + shows)


def _limit(name: str, value: float, limit: float, what: str, show: Callable[[float], str]) -> Condition:
    """As measured: a limit that is kept by chance today is a limit that is kept."""
    held = value <= limit
    relation = "is within" if held else "is above"
    reason = f"{what}, {show(value)}, {relation} {show(limit)}"
    return Condition(name=name, outcome="passed" if held else "refused", reason=reason)
