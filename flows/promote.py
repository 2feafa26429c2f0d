"""Change the model that serves by hand: approve or promote a judged candidate, or return to the champion before."""

from typing import Literal

from prefect import flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from finetune_flows.tasks import promote as stage
from finetune_flows.tasks import report
from finetune_flows.tasks.base.errors import RegistryError
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms.contract import Alias

_WAIT_SECONDS = 7 * 24 * 3600


class Approval(RunInput):
    """What the person who was asked decides."""

    decision: Literal["approve", "reject"] = Field(description="approve: it serves from now on. reject: all stays.")
    reason: str = Field(min_length=3, description="Why. It is kept with the decision.")


# Suspending ends the process; when the form is filled in, a worker runs the flow again from the top.
@flow(name="promote", flow_run_name="{name}", persist_result=True)
def promote(
    name: str, model: str | None = None, anyway: bool = False, ask: bool = False, reason: str = "by hand"
) -> Alias | None:
    """Lets a candidate serve that was judged earlier. The address stays the same, and no request is lost.

    Args:
        name: Name of the recipe.
        model: First letters of the model's digest; default: the candidate that was judged last.
        anyway: Promote even a candidate that the gate did not pass.
        ask: Wait up to a week for a person to approve or reject, by the form that Resume opens. Needs a deployment.
        reason: Why. It is kept with the decision.
    """
    entry = stage.candidate(name, model, anyway)
    if ask:
        asked = Approval.with_initial_data(description=report.approval_question(name, entry))
        answer = suspend_flow_run(wait_for_input=asked, timeout=_WAIT_SECONDS)
        if answer.decision == "reject":
            Registry().reject(name, entry.model, answer.reason)
            return None
        reason = f"approved: {answer.reason}"
    return stage.promote_earlier(name, entry.model.digest, anyway, reason)


@flow(name="rollback", flow_run_name="{name}")
def rollback(name: str, reason: str = "by hand") -> Alias:
    """Returns to the champion before this one. The address stays the same, and no request is lost.

    Args:
        name: Name of the recipe.
        reason: Why. It is kept with the decision.
    """
    if Registry().read(name).champion is None:
        raise RegistryError(f"{name} has no champion (recipes on record: {', '.join(Registry().recipes()) or 'none'})")
    return stage.roll_back(name, reason)
