"""moto's CloudFormation with the rules of AWS that it lacks and that `finetune setup aws` relies on.

- A change set whose execution fails ends in a stack that is rolled back, with an event for each failure. moto raises the
  resource's own error from ExecuteChangeSet, and leaves what it has made so far.
- A stack that a change set has made has outputs. moto computes them only in CreateStack.
- A stack in ROLLBACK_COMPLETE accepts no change set. moto checks that for UpdateStack only.
- A bucket policy is a resource. moto skips its type.

What moto still lacks: it applies of a bucket's properties only name, encryption and tags; it never reports a change's
details; it compares templates for a change set, not the changes of a replacement.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Event, Stack
from moto.core.common_models import CloudFormationModel
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition


class BucketPolicy(CloudFormationModel):
    """AWS::S3::BucketPolicy. Its physical id is the bucket's name."""

    def __init__(self, bucket: str) -> None:
        self.physical_resource_id = bucket

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::S3::BucketPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> "BucketPolicy":
        properties = cloudformation_json["Properties"]
        backend = s3_backends[account_id][get_partition(region_name)]
        backend.put_bucket_policy(properties["Bucket"], json.dumps(properties["PolicyDocument"]).encode())
        return cls(properties["Bucket"])

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        s3_backends[account_id][get_partition(region_name)].delete_bucket_policy(resource_name)


@contextmanager
def rules_of_aws() -> Iterator[None]:
    """Within it, moto's CloudFormation obeys the rules above."""
    execute, create = CloudFormationBackend.execute_change_set, CloudFormationBackend.create_change_set
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()

    def execute_or_roll_back(self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = self.change_sets[change_set_name]
        stack = self.stacks[change_set.stack_id]
        try:
            execute(self, change_set_name, stack_name)
        except Exception as error:  # whatever a resource's own backend raises
            _roll_back(stack, change_set.change_set_type, error)
            return
        stack._parse_template()
        stack.output_map = stack._create_output_map()

    def create_if_usable(self: CloudFormationBackend, stack_name: str, *args: Any, **kwargs: Any) -> tuple[str, str]:
        for stack in self.stacks.values():
            if stack.name == stack_name and stack.status == "ROLLBACK_COMPLETE":
                message = f"Stack:{stack.stack_id} is in ROLLBACK_COMPLETE state and can not be updated."
                raise ValidationError(stack.stack_id, message=message)
        return create(self, stack_name, *args, **kwargs)

    CloudFormationBackend.execute_change_set = execute_or_roll_back
    CloudFormationBackend.create_change_set = create_if_usable
    try:
        yield
    finally:
        CloudFormationBackend.execute_change_set = execute
        CloudFormationBackend.create_change_set = create


def _roll_back(stack: Stack, kind: str, error: Exception) -> None:
    """A failed creation removes what it has made; a failed update leaves the stack at its last good state."""
    resources = stack.resource_map
    made = {name: each for name, each in resources._parsed_resources.items() if isinstance(each, CloudFormationModel)}
    failed, *others = [name for name in resources if name not in made]
    for name, reason in [(failed, str(error)), *((other, "Resource creation cancelled") for other in others)]:
        kind_of_resource = resources._resource_json_map[name]["Type"]
        stack.events.append(
            Event(stack.stack_id, stack.name, name, "", kind_of_resource, "CREATE_FAILED", reason, None)
        )
    if kind == "CREATE":
        for name, resource in reversed(made.items()):
            resources._delete_resource(resource, resources._resource_json_map[name])
        resources._resource_json_map, resources._parsed_resources = {}, {}
    stack.status = "ROLLBACK_COMPLETE" if kind == "CREATE" else "UPDATE_ROLLBACK_COMPLETE"
    stack._add_stack_event(stack.status)
