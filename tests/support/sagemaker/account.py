"""What jobs and endpoints find around them: moto's services, roles, images, quotas, the armed faults."""

import functools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.sagemaker.errors import invalid, over_quota
from tests.support.sagemaker.faults import Faults
from tests.support.sagemaker.images import Image, image_of
from tests.support.sagemaker.record import EMULATOR_KEY
from tests.support.sagemaker.storage import Storage
from tests.support.sagemaker.tables import REGION, TagStore

DEFAULT_QUOTA = 4.0
JOB_KEY = "ASIAROLEOFAJOB000000"


@functools.cache
def client(url: str, service: str, key: str, secret: str) -> Any:
    """A boto3 client; made once, because each costs a tenth of a second."""
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(max_pool_connections=32),
    )


@dataclass
class Account:
    """One account in one region."""

    url: str
    folder: Path
    faults: Faults
    images: dict[str, Image] = field(default_factory=dict)
    quotas: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Clients that are no clients: what they send is not on record."""
        names = ("s3", "logs", "cloudwatch", "iam")
        self.s3, self.logs, self.cloudwatch, self.iam = (
            client(self.url, name, EMULATOR_KEY, "emulator") for name in names
        )
        self.storage = Storage(self.s3)
        self.tags = TagStore()

    def quota(self, instance_type: str, use: str) -> float:
        """How many instances the account may have; `use` as in Service Quotas, such as `training job usage`."""
        return self.quotas.get(f"{instance_type} for {use}", DEFAULT_QUOTA)

    def check_quota(self, instance_type: str, use: str, count: int) -> None:
        """Refuses as SageMaker does what is over the quota."""
        limit = self.quota(instance_type, use)
        if count > limit:
            raise over_quota(f"{instance_type} for {use}", limit, count)

    def check_role(self, role: str) -> None:
        """SageMaker takes a role only where it exists and trusts it."""
        try:
            found = self.iam.get_role(RoleName=role.rpartition("/")[2])["Role"]
        except self.iam.exceptions.NoSuchEntityException:
            found = {"AssumeRolePolicyDocument": {}, "Arn": ""}
        if "sagemaker.amazonaws.com" not in json.dumps(found["AssumeRolePolicyDocument"]) or found["Arn"] != role:
            raise invalid(
                f"Could not assume role {role}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role."
            )

    def image(self, uri: str) -> Image:
        """What stands for an image here."""
        return image_of(uri, self.images)

    def pause(self) -> None:
        """The least time a state lasts."""
        time.sleep(self.faults.seconds_per_state)

    def role_environment(self) -> dict[str, str]:
        """What a program needs to call AWS in its role's name."""
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": JOB_KEY,
            "AWS_SECRET_ACCESS_KEY": "of-the-role",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def with_arguments(entrypoint: Sequence[str], arguments: Sequence[str], replaced: Mapping[str, str]) -> list[str]:
    """A command line, `{port}` and the like filled in."""
    command = [*entrypoint, *arguments]
    for name, value in replaced.items():
        command = [part.replace("{" + name + "}", value) for part in command]
    return command
