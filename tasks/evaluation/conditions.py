"""The outcome of one condition of the gate, and the words for too few rows."""

from typing import Literal

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.evaluation.paired import POWER

Outcome = Literal["passed", "refused", "cannot tell"]


class Condition(Frozen):
    """One condition of the gate: its outcome, and a sentence with the figures behind it."""

    name: str = Field(description="Field of the recipe's gate section that sets the condition.")
    outcome: Outcome
    reason: str


def too_few(n: int, needed: int | None) -> str:
    """Why n rows do not decide a condition, to follow "on the same n rows"; `needed`: how many would, None: no number."""
    if needed is None:
        return ", exactly at the limit, which no number of rows decides"
    if needed <= n:  # `needed` comes from a normal approximation, the decision from an exact test or whole schemas
        return ", not enough to be sure"
    return f", too few to be sure: about {needed:,} would do, with {POWER:.0%} power"
