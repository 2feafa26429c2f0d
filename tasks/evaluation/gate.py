"""The gate: may the tuned model serve? Every condition says what it saw, whether it held or not."""

from pydantic import BaseModel, ConfigDict, Field

from tasks.evaluation.statistics import Comparison, Proportion
from tasks.recipe import GateSection


class Decision(BaseModel):
    """What the gate decided, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    base: Proportion
    tuned: Proportion
    comparison: Comparison
    passed: bool
    reasons: list[str] = Field(description="One sentence for each condition.")


def decide(gate: GateSection, metric: str, base: Proportion, tuned: Proportion, comparison: Comparison) -> Decision:
    """Judges the tuned model by the recipe's conditions.

    The gain is paired: both models answered the same rows, and the exact McNemar test says how surely the rows that only
    one of them got right speak for a difference.
    """
    conditions = [
        _minimum(gate, tuned),
        _gain(gate, base, tuned, comparison),
    ]
    return Decision(
        metric=metric,
        base=base,
        tuned=tuned,
        comparison=comparison,
        passed=all(held for held, _ in conditions),
        reasons=[sentence for _, sentence in conditions],
    )


def _minimum(gate: GateSection, tuned: Proportion) -> tuple[bool, str]:
    held = tuned.n > 0 and tuned.value >= gate.min_score
    relation = "reaches" if held else "is below"
    return held, f"the score of {tuned.value:.1%} (n = {tuned.n}) {relation} the minimum of {gate.min_score:.1%}"


def _gain(gate: GateSection, base: Proportion, tuned: Proportion, comparison: Comparison) -> tuple[bool, str]:
    gain = comparison.difference
    sure = comparison.p_value <= 1 - gate.confidence
    large = gain >= gate.min_gain
    seen = f"{gain * 100:+.1f} points over the base model on the same {comparison.n} rows (McNemar p = {comparison.p_value:.2g})"
    if large and (sure or gate.min_gain < 0):
        return True, f"{seen}: at least {gate.min_gain * 100:+.1f} wanted"
    why = (
        f"cannot be told from chance with {gate.confidence:.0%} confidence"
        if large
        else f"{gate.min_gain * 100:+.1f} wanted"
    )
    return False, f"{seen}: {why}"
