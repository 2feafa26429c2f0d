"""The outcome of one condition of the gate, and the words for it."""

from typing import Literal

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen

Outcome = Literal["passed", "refused", "cannot tell"]


_VERDICTS = {"passed": "Reached, surely enough", "refused": "Surely missed"}


def sentences(outcome: Outcome, seen: str, wanted: str, test: str, doubt: str = "") -> str:
    """What was seen, what was wanted, what follows; the figures of the test last, for those who know it."""
    return f"{seen}. Wanted: {wanted}. {_VERDICTS.get(outcome, doubt)} ({test})"


class Condition(Frozen):
    """One condition of the gate: its outcome, and a sentence with the figures behind it."""

    name: str = Field(description="Field of the recipe's gate section that sets the condition.")
    outcome: Outcome
    reason: str


def too_few(n: int, needed: int | None) -> str:
    """Why n rows do not decide a condition; `needed`: how many would, None: no number."""
    if needed is None:
        return "This is exactly the limit, which no number of rows decides"
    if needed <= n:  # `needed` comes from a normal approximation, the decision from an exact test or whole schemas
        return f"{n} rows are just not enough to be sure"
    return f"{n} rows are too few to be sure: about {needed:,} would do"
