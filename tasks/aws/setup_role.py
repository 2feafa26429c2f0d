"""The execution role: SageMaker alone may take it, and it may do the least that our jobs and endpoints need."""

import json
from typing import Any

from finetune_flows.tasks.aws import policy
from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy_execution import execution_statements
from finetune_flows.tasks.aws.setup_steps import MADE_BY, State, Step, ask

POLICY_NAME = "finetune-flows"


def role_steps(clients: Clients) -> list[Step]:
    """What is due for the role. One that is not ours is only looked at."""
    name = clients.role_arn.split("/")[-1]
    what = f"role {name}"
    iam = clients.client("iam")
    wanted = policy.document(execution_statements(clients))
    found = ask(lambda: iam.get_role(RoleName=name))
    if found is None:
        if clients.section.role.startswith("arn:"):
            return [
                Step(what=what, state="differs", says="there is no such role: set platform.role to one that exists")
            ]
        return [_new_role(what, name), _policy(what, name, wanted, "missing", "give it the least that our jobs need")]
    if MADE_BY not in found["Role"].get("Tags", []):
        return [Step(what=what, state="not ours", says=_trust_advice(found["Role"]))]
    present = ask(lambda: iam.get_role_policy(RoleName=name, PolicyName=POLICY_NAME))
    if present is None:
        return [
            Step(what=what, state="there"),
            _policy(what, name, wanted, "missing", "give it the least that our jobs need"),
        ]
    if present["PolicyDocument"] == wanted:
        return [Step(what=what, state="there")]
    return [_policy(what, name, wanted, "differs", _difference(present["PolicyDocument"], wanted))]


def _new_role(what: str, name: str) -> Step:
    request = {
        "RoleName": name,
        "AssumeRolePolicyDocument": json.dumps(policy.TRUST),
        "Description": "Execution role of finetune-flows: training jobs and endpoints on SageMaker",
        "Tags": [MADE_BY],
    }
    return Step(
        what=what,
        state="missing",
        service="iam",
        operation="create_role",
        request=request,
        says="create; only SageMaker may take it",
    )


def _policy(what: str, name: str, wanted: policy.Policy, state: State, says: str) -> Step:
    request = {"RoleName": name, "PolicyName": POLICY_NAME, "PolicyDocument": json.dumps(wanted)}
    return Step(what=what, state=state, service="iam", operation="put_role_policy", request=request, says=says)


def trusts_sagemaker(role: dict[str, Any]) -> bool:
    """Whether SageMaker may take this role (an answer of GetRole)."""
    statements = role["AssumeRolePolicyDocument"]["Statement"]
    services = [each.get("Principal", {}).get("Service", []) for each in statements if each.get("Effect") == "Allow"]
    return any("sagemaker.amazonaws.com" in ([each] if isinstance(each, str) else each) for each in services)


def _trust_advice(role: dict[str, Any]) -> str:
    if trusts_sagemaker(role):
        return "used as it is"
    return "SageMaker may not take it: add sagemaker.amazonaws.com to its trust policy"


def _difference(present: policy.Policy, wanted: policy.Policy) -> str:
    """What a change of the policy adds and takes away: nobody widens a role without having read it."""
    before, after = _grants(present), _grants(wanted)
    words = [f"adds {', '.join(sorted(after - before))}"] if after - before else []
    words += [f"takes away {', '.join(sorted(before - after))}"] if before - after else []
    return "; ".join(words) or "the same permissions under other conditions"


def _grants(document: policy.Policy) -> set[str]:
    """`action on resource`, for each pair."""
    grants = set()
    for statement in document["Statement"]:
        actions, resources = (
            [each] if isinstance(each, str) else each for each in (statement["Action"], statement["Resource"])
        )
        grants |= {f"{action} on {resource}" for action in actions for resource in resources}
    return grants
