"""Our CloudFormation stack: its resources, and changes that are shown before they are applied."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import is_missing
from finetune_flows.tasks.base.errors import EnvironmentProblem, TryLater
from finetune_flows.tasks.base.values import Frozen

if TYPE_CHECKING:
    from botocore.exceptions import WaiterError

_WAIT = {"Delay": 2, "MaxAttempts": 300}  # ten minutes; a bucket, a role and a log group take less than one
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")  # AWS reports it as a failure, in words
_IN_REVIEW = "REVIEW_IN_PROGRESS"  # the stack has change sets and no resources yet
_STARTS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")


class Change(Frozen):
    """One resource that a change set creates, changes or deletes."""

    action: str = Field(description="In AWS's terms: Add, Modify, Remove, Import or Dynamic.")
    resource: str = Field(description="Its name in the template.")
    kind: str = Field(description="Its type, such as AWS::S3::Bucket.")
    says: str = Field("", description="What changes.")


class Proposal:
    """A change set that is created but not yet applied."""

    def __init__(self, clients: Clients, created: dict[str, str], before: str | None) -> None:
        """`created`: response of CreateChangeSet; `before`: earlier status of the stack, None if there was no stack."""
        self._client = clients.client("cloudformation")
        self._stack_id, self._change_set = created["StackId"], created["Id"]
        self._before = before
        self.is_applied = False

    def changes(self) -> list[Change]:
        """The changes that it would apply. Raises EnvironmentProblem when AWS refuses the change set."""
        from botocore.exceptions import WaiterError

        try:
            self._client.get_waiter("change_set_create_complete").wait(
                ChangeSetName=self._change_set, WaiterConfig=_WAIT
            )
        except WaiterError as error:
            reason = str(error.last_response.get("StatusReason", error))
            if any(words in reason for words in _NO_CHANGES):
                return []
            raise EnvironmentProblem(f"AWS refused the change set: {reason}") from error
        pages = self._client.get_paginator("describe_change_set").paginate(ChangeSetName=self._change_set)
        return [_change(each["ResourceChange"]) for page in pages for each in page["Changes"]]

    def apply(self) -> dict[str, str]:
        """Applies the changes and waits. Returns the stack's outputs by name.

        Raises:
            EnvironmentProblem: a change failed and AWS rolled all of them back.
            TryLater: the stack is not finished after ten minutes.
        """
        from botocore.exceptions import WaiterError

        self._client.execute_change_set(ChangeSetName=self._change_set)
        self.is_applied = True  # from here on AWS deletes the change set
        waiter = self._client.get_waiter("stack_create_complete" if _is_new(self._before) else "stack_update_complete")
        try:
            waiter.wait(StackName=self._stack_id, WaiterConfig=_WAIT)
        except WaiterError as error:
            raise self._failure(error) from error
        return _outputs(self._client.describe_stacks(StackName=self._stack_id))

    def discard(self) -> None:
        """Deletes the change set, and the empty stack if AWS created one for it."""
        self._client.delete_change_set(ChangeSetName=self._change_set)
        if self._before is None and _status(self._client, self._stack_id) == _IN_REVIEW:
            self._client.delete_stack(StackName=self._stack_id)

    def _failure(self, error: "WaiterError") -> EnvironmentProblem | TryLater:
        answer: Any = error.last_response  # has no stacks if somebody deleted ours
        status = answer["Stacks"][0]["StackStatus"] if answer.get("Stacks") else "deleted"
        name = self._stack_id.split("/")[1]
        if status.endswith("_IN_PROGRESS"):
            return TryLater(f"stack {name} is still {status}; run the same command again to see what is left to do")
        return EnvironmentProblem(f"stack {name} was rolled back: {self._first_failure()}")

    def _first_failure(self) -> str:
        """The error of the first resource that failed. Later events only say that they were cancelled."""
        words = "its events give no reason"
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=self._stack_id):
            for event in page["StackEvents"]:  # the newest first
                status = event["ResourceStatus"]
                if event.get("PhysicalResourceId") == self._stack_id and status in _STARTS:
                    return words  # what is older belongs to an earlier update
                if status.endswith("_FAILED") and event.get("ResourceStatusReason"):
                    words = f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        return words


@contextmanager
def proposed(clients: Clients, template: dict[str, Any]) -> Iterator[Proposal]:
    """A change set that makes our stack match `template`. It is deleted at the end unless it was applied.

    Errors of botocore pass unchanged.
    """
    client = clients.client("cloudformation")
    before = _status(client, clients.stack)
    if before == "ROLLBACK_COMPLETE":  # its first creation failed: it is empty, and AWS permits only its deletion
        client.delete_stack(StackName=clients.stack)
        client.get_waiter("stack_delete_complete").wait(StackName=clients.stack, WaiterConfig=_WAIT)
        before = None
    created = client.create_change_set(
        StackName=clients.stack,
        ChangeSetName=f"finetune-{uuid.uuid4().hex[:12]}",
        ChangeSetType="CREATE" if _is_new(before) else "UPDATE",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    proposal = Proposal(clients, created, before)
    try:
        yield proposal
    finally:
        if not proposal.is_applied:
            proposal.discard()


def members(clients: Clients) -> set[str]:
    """Names of the buckets, roles and log groups in our stack; empty when there is no stack."""
    from botocore.exceptions import ClientError

    try:
        answer = clients.client("cloudformation").describe_stack_resources(StackName=clients.stack)
    except ClientError as error:
        if is_missing(error):
            return set()
        raise
    return {
        each["PhysicalResourceId"]
        for each in answer["StackResources"]
        if "PhysicalResourceId" in each and not each["ResourceStatus"].startswith("DELETE")
    }


def _is_new(status: str | None) -> bool:
    return status in (None, _IN_REVIEW)


def _status(client: Any, stack: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        answer = client.describe_stacks(StackName=stack)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return str(answer["Stacks"][0]["StackStatus"])


def _outputs(answer: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in answer["Stacks"][0].get("Outputs", [])}


def _change(change: dict[str, Any]) -> Change:
    """One entry of a DescribeChangeSet response as a Change."""
    properties = {each["Target"].get("Name") or each["Target"]["Attribute"] for each in change.get("Details", [])}
    replaced = " (by a new one)" if change.get("Replacement") == "True" else ""
    return Change(
        action=change["Action"],
        resource=change["LogicalResourceId"],
        kind=change["ResourceType"],
        says=", ".join(sorted(properties)) + replaced,
    )
