"""IAM policies, as statements that each have a reason: docs/aws.md shows them, and a test holds the two together.

What jobs and endpoints may do is in policy_execution, what whoever starts them may do in policy_caller.
"""

from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.values import Frozen

Policy = dict[str, Any]

TRUST: Policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
"""Who may take the execution role: SageMaker alone."""


def trusts_sagemaker(role: dict[str, Any]) -> bool:
    """Whether SageMaker may take this role (an answer of GetRole)."""
    statements = role["AssumeRolePolicyDocument"]["Statement"]
    services = [each.get("Principal", {}).get("Service", []) for each in statements if each.get("Effect") == "Allow"]
    return any("sagemaker.amazonaws.com" in ([each] if isinstance(each, str) else each) for each in services)


class Statement(Frozen):
    """One permission and what it is for."""

    sid: str
    reason: str
    actions: list[str]
    resources: list[str]
    condition: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As IAM reads it."""
        statement = {"Sid": self.sid, "Effect": "Allow", "Action": self.actions, "Resource": self.resources}
        return statement | ({"Condition": self.condition} if self.condition else {})


def document(statements: list[Statement]) -> Policy:
    """A policy of these statements."""
    return {"Version": "2012-10-17", "Statement": [statement.to_json() for statement in statements]}


def difference(present: Policy, wanted: Policy) -> str:
    """What a change of a policy adds and takes away: nobody widens a role without having read it."""
    before, after = _grants(present), _grants(wanted)
    words = [f"adds {', '.join(sorted(after - before))}"] if after - before else []
    words += [f"takes away {', '.join(sorted(before - after))}"] if before - after else []
    return "; ".join(words) or "the same permissions under other conditions"


def _grants(policy: Policy) -> set[str]:
    """`action on resource`, for each pair."""
    grants = set()
    for statement in policy["Statement"]:
        actions, resources = (
            [each] if isinstance(each, str) else each for each in (statement["Action"], statement["Resource"])
        )
        grants |= {f"{action} on {resource}" for action in actions for resource in resources}
    return grants


def only_tls(clients: Clients) -> Policy:
    """A bucket's policy: it refuses requests that are not encrypted on their way."""
    bucket = arn(clients, "s3", clients.bucket)
    refused = {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [refused]}


def use_key(clients: Clients) -> list[Statement]:
    """The recipe's own key, where it has one."""
    if clients.section.kms_key is None:
        return []
    reason = "Only with platform.kms_key: encrypt and decrypt objects and disks with your key."
    actions = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    return [Statement(sid="UseKey", reason=reason, actions=actions, **_key(clients, clients.section.kms_key))]


def _key(clients: Clients, key: str) -> dict[str, Any]:
    """A policy cannot name an alias as its resource: it is a condition on all keys of the account."""
    if key.startswith("alias/"):
        condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": key}}
        return {"resources": [arn(clients, "kms", "key/*", regional=True)], "condition": condition}
    return {"resources": [key if key.startswith("arn:") else arn(clients, "kms", f"key/{key}", regional=True)]}


def arn(clients: Clients, service: str, resource: str, regional: bool = False) -> str:
    """ARN of something of this account. S3's ARNs name neither region nor account."""
    place = f"{clients.region}:{clients.account}" if regional else ":"
    return f"arn:{partition(clients)}:{service}:{place}:{resource}"


def partition(clients: Clients) -> str:
    """`aws`, or `aws-cn` and the like."""
    return str(clients.session.get_partition_for_region(clients.region))
