"""Change the champion by hand: approve or promote an evaluated candidate, or return to the previous champion."""

from typing import Literal

from prefect import flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from finetune_flows.flows.form import TextOrEmpty
from finetune_flows.tasks import promote as stage
from finetune_flows.tasks import report
from finetune_flows.tasks.base.errors import RegistryError
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms.contract import Alias

_WAIT_SECONDS = 7 * 24 * 3600


class Approval(RunInput):
    """The form in which a person approves or rejects a candidate."""

    decision: Literal["approve", "reject"] = Field(
        description="approve: the candidate serves from now on. reject: nothing changes."
    )
    reason: str = Field(min_length=3, description="Reason, stored with the decision.")


# persist_result: suspending ends the process, and once the form is filled in a worker runs the flow again from the top.
@flow(name="promote", flow_run_name="{name}", persist_result=True)
def promote(
    name: str, model: TextOrEmpty = "", anyway: bool = False, ask: bool = False, reason: str = "by hand"
) -> Alias | None:
    """Promotes a candidate that was evaluated earlier. The address stays the same, and no request is lost.

    Args:
        name: Name of the recipe.
        model: First letters of the model's digest. Default: the latest candidate.
        anyway: Promote the candidate even if the gate did not pass it.
        ask: Wait up to a week for a person to approve or reject, in the form that Resume opens. Needs a deployment.
        reason: Reason, stored with the decision.
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
    """Returns to the previous champion. The address stays the same, and no request is lost.

    Args:
        name: Name of the recipe.
        reason: Reason, stored with the decision.
    """
    if Registry().read(name).champion is None:
        known = ", ".join(Registry().recipes()) or "none"
        raise RegistryError(f"{name} has no champion to return from (recipes in the registry: {known})")
    return stage.roll_back(name, reason)
