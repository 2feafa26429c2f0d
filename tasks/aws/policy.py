"""IAM policies as statements with a reason each. docs/aws.md lists them; a test compares the two.

policy_execution has the permissions of jobs and endpoints, policy_caller those of the person who starts them,
policy_setup those of the person who sets up the account.
"""

from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.values import Frozen

Policy = dict[str, Any]


class Statement(Frozen):
    """One permission and its purpose."""

    sid: str
    reason: str
    actions: list[str]
    resources: list[str]
    condition: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The statement in IAM's format."""
        statement = {"Sid": self.sid, "Effect": "Allow", "Action": self.actions, "Resource": self.resources}
        return statement | ({"Condition": self.condition} if self.condition else {})


def document(statements: list[Statement]) -> Policy:
    """A policy document with these statements."""
    return {"Version": "2012-10-17", "Statement": [statement.to_json() for statement in statements]}


def difference(present: Policy, wanted: Policy) -> str:
    """What a change of a policy adds and removes, so that a person reads it before the change is applied."""
    more, fewer = lacking(present, wanted), lacking(wanted, present)
    words = [f"adds {', '.join(more)}"] if more else []
    words += [f"removes {', '.join(fewer)}"] if fewer else []
    return "; ".join(words) or "the same permissions with different conditions"


def lacking(present: Policy, wanted: Policy) -> list[str]:
    """`action on resource` for each permission of `wanted` that `present` lacks."""
    return sorted(_grants(wanted) - _grants(present))


def _grants(policy: Policy) -> set[str]:
    grants = set()
    for statement in policy["Statement"]:
        actions, resources = (
            [each] if isinstance(each, str) else each for each in (statement["Action"], statement["Resource"])
        )
        grants |= {f"{action} on {resource}" for action in actions for resource in resources}
    return grants


def only_tls(clients: Clients) -> Policy:
    """The bucket's policy. It refuses requests without TLS."""
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
    """The permission to use the recipe's KMS key; empty without one."""
    if clients.section.kms_key is None:
        return []
    reason = "Only with platform.kms_key: encrypt and decrypt objects and disks with your key."
    actions = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    return [Statement(sid="UseKey", reason=reason, actions=actions, **_key(clients, clients.section.kms_key))]


def _key(clients: Clients, key: str) -> dict[str, Any]:
    if key.startswith("alias/"):
        # IAM does not accept an alias as a resource, so the alias becomes a condition on all keys of the account.
        condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": key}}
        return {"resources": [arn(clients, "kms", "key/*", regional=True)], "condition": condition}
    return {"resources": [key if key.startswith("arn:") else arn(clients, "kms", f"key/{key}", regional=True)]}


def arn(clients: Clients, service: str, resource: str, regional: bool = False) -> str:
    """The ARN of a resource of this account. ARNs of S3 have neither region nor account."""
    place = f"{clients.region}:{clients.account}" if regional else ":"
    return f"arn:{partition(clients)}:{service}:{place}:{resource}"


def partition(clients: Clients) -> str:
    """The partition of the region: `aws`, or for example `aws-cn`."""
    return str(clients.session.get_partition_for_region(clients.region))
