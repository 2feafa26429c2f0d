"""Sets up an AWS account by one CloudFormation stack; what exists and is not of the stack is used and never changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

from pydantic import Field

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import aws_errors, code_of, is_missing
from finetune_flows.tasks.aws.policy import Policy, difference, document, lacking
from finetune_flows.tasks.aws.policy_execution import execution_statements, trusts_sagemaker
from finetune_flows.tasks.aws.stack import Change, Proposal, members, proposed
from finetune_flows.tasks.aws.template import ABOUT, LOG_GROUP, POLICY_NAME, Part, template
from finetune_flows.tasks.base.values import Frozen

State = Literal["there", "missing", "gone", "not ours", "differs"]


class Found(Frozen):
    """One part of the set-up, as it is in the account."""

    part: Part
    name: str
    state: State = Field(
        description="there, gone: the stack holds it; missing: will be created; not ours: used as it is; differs: unusable."
    )
    says: str = Field("", description="What the reader should know or do.")


class SetUp:
    """What is in the account, and the changes that bring the stack to the template."""

    def __init__(self, found: list[Found], changes: list[Change], proposal: Proposal | None) -> None:
        self.found, self.changes = found, changes
        self._proposal = proposal

    def apply(self) -> dict[str, str]:
        """Applies the changes and returns the stack's outputs. Raises what `Proposal.apply` raises."""
        return self._proposal.apply() if self._proposal else {}


@contextmanager
def planned(clients: Clients) -> Iterator[SetUp]:
    """Looks at the account and proposes the changes by a change set, which is deleted at the end unless applied.

    Raises:
        EnvironmentProblem: no credentials or region, not permitted to look or to propose, or AWS refuses the template.
    """
    with aws_errors("setting up the AWS account"):
        found = look(clients)
        body = template(clients, without=[each.part for each in found if each.state in ("not ours", "differs")])
        if not body["Resources"]:  # nothing is ours to make, and CloudFormation knows no empty stack
            yield SetUp(found, [], None)
            return
        with proposed(clients, body) as proposal:
            yield SetUp(found, [_explained(clients, change) for change in proposal.changes()], proposal)


def look(clients: Clients) -> list[Found]:
    """What is there of each part. Changes nothing."""
    ours = members(clients)
    return [_bucket(clients, ours), _role(clients, ours), _log_group(clients, ours)]


def _bucket(clients: Clients, ours: set[str]) -> Found:
    name, s3 = clients.bucket, clients.client("s3")
    location = _ask(lambda: s3.get_bucket_location(Bucket=name))
    if location is None or name in ours:
        return _own(clients, "bucket", name, exists=location is not None, ours=ours)
    region = location["LocationConstraint"] or "us-east-1"
    if region != clients.region:
        says = f"it is in {region}: set platform.bucket to one in {clients.region}"
        return Found(part="bucket", name=name, state="differs", says=says)
    settings = {
        "public access block": s3.get_public_access_block,
        "encryption": s3.get_bucket_encryption,
        "lifecycle configuration": s3.get_bucket_lifecycle_configuration,
    }
    lacking = [f"it has no {what}" for what, get in settings.items() if _ask(partial(get, Bucket=name)) is None]
    says = "used as it is" + (f": {'; '.join(lacking)}" if lacking else "")
    return Found(part="bucket", name=name, state="not ours", says=says)


def _role(clients: Clients, ours: set[str]) -> Found:
    name = clients.role_name
    found = _ask(lambda: clients.client("iam").get_role(RoleName=name))
    if found is None and name not in ours and clients.section.role.startswith("arn:"):
        says = "there is no such role: set platform.role to one that exists"
        return Found(part="role", name=name, state="differs", says=says)
    if found is None or name in ours:
        return _own(clients, "role", name, exists=found is not None, ours=ours)
    return Found(part="role", name=name, state="not ours", says=_role_advice(clients, found["Role"]))


def _role_advice(clients: Clients, role: dict[str, Any]) -> str:
    """What a role that the stack does not hold lacks. Of another's policies only ours can be compared, by its name."""
    if not trusts_sagemaker(role):
        return "SageMaker may not take it: add sagemaker.amazonaws.com to its trust policy"
    present = _present_policy(clients)
    missing = lacking(present, _wanted_policy(clients)) if present else []
    if not missing:
        return "used as it is"
    return f"used as it is; it lacks {', '.join(missing)}. Next: set platform.role to a new name, then run this again"


def _log_group(clients: Clients, ours: set[str]) -> Found:
    """A group that is there may hold other people's logs: how long they are kept is left to them."""
    groups = clients.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
    found = next((group for group in groups if group["logGroupName"] == LOG_GROUP), None)
    if found is None or LOG_GROUP in ours:
        return _own(clients, "log group", LOG_GROUP, exists=found is not None, ours=ours)
    days = found.get("retentionInDays")
    says = f"used as it is; its lines are kept {f'for {days} days' if days else 'for ever'}"
    return Found(part="log group", name=LOG_GROUP, state="not ours", says=says)


def _own(clients: Clients, part: Part, name: str, exists: bool, ours: set[str]) -> Found:
    """A part that the stack holds or will hold."""
    if name not in ours:
        return Found(part=part, name=name, state="missing")
    if exists:
        return Found(part=part, name=name, state="there")
    # CloudFormation compares templates and does not look at the account: to it nothing has changed.
    advice = f"aws cloudformation delete-stack --stack-name {clients.stack} (the data is kept), then run this again"
    return Found(part=part, name=name, state="gone", says=f"it was deleted outside its stack. Next: {advice}")


def _explained(clients: Clients, change: Change) -> Change:
    """With what a new resource is for, and which permissions a change of the role's policy adds and takes away."""
    if change.action == "Add":
        return change.model_copy(update={"says": ABOUT[change.resource]})
    if (change.resource, change.action) != ("RolePolicy", "Modify"):
        return change
    present = _present_policy(clients)
    says = difference(present, _wanted_policy(clients)) if present else change.says
    return change.model_copy(update={"says": says})


def _wanted_policy(clients: Clients) -> Policy:
    return document(execution_statements(clients))


def _present_policy(clients: Clients) -> Policy | None:
    iam = clients.client("iam")
    found = _ask(lambda: iam.get_role_policy(RoleName=clients.role_name, PolicyName=POLICY_NAME))
    return found and found["PolicyDocument"]


def _ask(question: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The answer; None when the thing is not there."""
    from botocore.exceptions import ClientError

    try:
        return question()
    except ClientError as error:
        absent = (
            code_of(error).startswith("NoSuch") or code_of(error) == "ServerSideEncryptionConfigurationNotFoundError"
        )
        if absent or is_missing(error):
            return None
        raise
