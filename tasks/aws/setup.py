"""Sets up an AWS account with one CloudFormation stack. Existing resources outside the stack are used and never changed."""

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
    """The present state of one part of the set-up in the account."""

    part: Part
    name: str
    state: State = Field(
        description="there: the stack has it and it exists; gone: the stack has it but somebody deleted it; missing: will be "
        "created; not ours: outside the stack, used as it is; differs: unusable."
    )
    says: str = Field("", description="Details, and the next step if there is one.")


class SetUp:
    """The present state of the account, and the changes that would make the stack match the template."""

    def __init__(self, found: list[Found], changes: list[Change], proposal: Proposal | None) -> None:
        self.found, self.changes = found, changes
        self._proposal = proposal

    def apply(self) -> dict[str, str]:
        """Applies the changes and returns the stack's outputs. Raises the errors of `Proposal.apply`."""
        return self._proposal.apply() if self._proposal else {}


@contextmanager
def planned(clients: Clients) -> Iterator[SetUp]:
    """Inspects the account and proposes the changes as a change set, which is deleted at the end unless applied.

    Raises:
        EnvironmentProblem: no credentials, region or permission, or AWS refuses the template.
    """
    with aws_errors("setting up the AWS account"):
        found = look(clients)
        body = template(clients, without=[each.part for each in found if each.state in ("not ours", "differs")])
        if not body["Resources"]:  # nothing to create, and CloudFormation refuses a template without resources
            yield SetUp(found, [], None)
            return
        with proposed(clients, body) as proposal:
            yield SetUp(found, [_explained(clients, change) for change in proposal.changes()], proposal)


def look(clients: Clients) -> list[Found]:
    """The present state of each part. Changes nothing."""
    ours = members(clients)
    return [_bucket(clients, ours), _role(clients, ours), _log_group(clients, ours)]


def _bucket(clients: Clients, ours: set[str]) -> Found:
    name, s3 = clients.bucket, clients.client("s3")
    location = _ask(lambda: s3.get_bucket_location(Bucket=name))
    if location is None or name in ours:
        return _own(clients, "bucket", name, exists=location is not None, ours=ours)
    region = location["LocationConstraint"] or "us-east-1"  # S3 returns nothing for its oldest region
    if region != clients.region:
        says = f"it is in {region}. Next: set platform.bucket to a bucket in {clients.region}"
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
        says = "there is no such role. Next: set platform.role to an existing role"
        return Found(part="role", name=name, state="differs", says=says)
    if found is None or name in ours:
        return _own(clients, "role", name, exists=found is not None, ours=ours)
    return Found(part="role", name=name, state="not ours", says=_role_advice(clients, found["Role"]))


def _role_advice(clients: Clients, role: dict[str, Any]) -> str:
    """What a role outside the stack lacks. Only our own policy in it can be compared, by its name."""
    if not trusts_sagemaker(role):
        return "SageMaker may not assume it. Next: add sagemaker.amazonaws.com to its trust policy"
    present = _present_policy(clients)
    missing = lacking(present, _wanted_policy(clients)) if present else []
    if not missing:
        return "used as it is"
    return f"used as it is; it lacks {', '.join(missing)}. Next: set platform.role to a new name, then run this again"


def _log_group(clients: Clients, ours: set[str]) -> Found:
    """The log group. An existing one may hold logs of other people, so its retention is not changed."""
    groups = clients.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
    found = next((group for group in groups if group["logGroupName"] == LOG_GROUP), None)
    if found is None or LOG_GROUP in ours:
        return _own(clients, "log group", LOG_GROUP, exists=found is not None, ours=ours)
    days = found.get("retentionInDays")
    says = f"used as it is; it keeps its logs {f'for {days} days' if days else 'forever'}"
    return Found(part="log group", name=LOG_GROUP, state="not ours", says=says)


def _own(clients: Clients, part: Part, name: str, exists: bool, ours: set[str]) -> Found:
    """A part that the stack has or will get."""
    if name not in ours:
        return Found(part=part, name=name, state="missing")
    if exists:
        return Found(part=part, name=name, state="there")
    # CloudFormation compares templates, not the account. So it does not notice the deletion and creates nothing.
    advice = f"aws cloudformation delete-stack --stack-name {clients.stack} (the data is kept), then run this again"
    return Found(part=part, name=name, state="gone", says=f"it was deleted outside its stack. Next: {advice}")


def _explained(clients: Clients, change: Change) -> Change:
    """The change with an explanation: the purpose of a new resource, or the permissions that a policy change adds and removes."""
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
    """The answer of AWS; None when the requested thing does not exist."""
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
