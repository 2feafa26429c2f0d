"""What a condition of the gate comes to."""

from typing import Literal

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.evaluation.paired import POWER

Outcome = Literal["passed", "refused", "cannot tell"]


class Condition(Frozen):
    """One condition: what came of it, and a sentence with what was seen."""

    name: str = Field(description="The field of the recipe's gate section that sets it.")
    outcome: Outcome
    reason: str


def would_tell(needed: int | None) -> str:
    """How many rows would tell, as the end of a sentence."""
    chance = f"{POWER:.0%}"
    return (
        f": about {needed:,} rows would tell ({chance} sure to)" if needed else ": right on the bound, no n would tell"
    )
