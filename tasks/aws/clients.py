"""The AWS clients of one platform section. They share one session, and each is created when it is first needed.

Credentials, region and endpoints come from boto3's usual places (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_*, roles).
"""

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from finetune_flows.tasks.aws.errors import NEEDS_BOTO3
from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

if TYPE_CHECKING:
    import boto3

PLACEHOLDER_ACCOUNT = "123456789012"  # AWS's example account, for requests that are shown and never sent


class Clients:
    """The session, its clients, and the names that depend on the account: bucket and role."""

    def __init__(self, section: SageMakerPlatform, account: str | None = None) -> None:
        self.section = section
        self._account = account

    @cached_property
    def session(self) -> "boto3.Session":
        """The boto3 session. Raises EnvironmentProblem when boto3 is not installed or the profile is unknown."""
        try:
            import boto3
            from botocore.exceptions import ProfileNotFound
        except ImportError as error:
            raise EnvironmentProblem(NEEDS_BOTO3) from error
        try:
            # The AWS CLI reads AWS_REGION; boto3 reads only AWS_DEFAULT_REGION.
            region = self.section.region or os.environ.get("AWS_REGION")
            return boto3.Session(profile_name=self.section.profile, region_name=region)
        except ProfileNotFound as error:
            raise EnvironmentProblem(f"{error}. Next: aws configure --profile {self.section.profile}") from error

    @cached_property
    def region(self) -> str:
        """The AWS region. Raises EnvironmentProblem when none is set."""
        region: str | None = self.session.region_name
        if region is None:
            raise EnvironmentProblem("no AWS region is set. Next: set platform.region, or AWS_REGION")
        return region

    @cached_property
    def account(self) -> str:
        """The account's 12 digits. The first use asks STS."""
        return self._account or str(self.client("sts").get_caller_identity()["Account"])

    @property
    def bucket(self) -> str:
        """The recipe's bucket, or the one that `setup aws` creates."""
        return self.section.bucket or f"finetune-flows-{self.account}-{self.region}"

    @property
    def home(self) -> str:
        """`s3://bucket/prefix`. It marks which jobs and endpoints are ours."""
        return f"s3://{self.bucket}/{self.section.prefix}"

    @property
    def role_arn(self) -> str:
        """The execution role as an ARN."""
        role = self.section.role
        partition = self.session.get_partition_for_region(self.region)
        return role if role.startswith("arn:") else f"arn:{partition}:iam::{self.account}:role/{role}"

    @property
    def role_name(self) -> str:
        """The name of the execution role, without its path."""
        return self.section.role.split("/")[-1]

    @property
    def stack(self) -> str:
        """The name of the CloudFormation stack of `setup aws`.

        There is one stack per role. If recipes with different roles shared a stack, each set-up would delete the other's role.
        """
        return re.sub("[^A-Za-z0-9]+", "-", self.role_name) + "-setup"

    @property
    def credentials(self) -> Any:
        """botocore's credentials, which renew themselves. Raises EnvironmentProblem when there are none."""
        found = self.session.get_credentials()
        if found is None:
            raise EnvironmentProblem("no AWS credentials found. Next: aws configure, or aws sso login")
        return found

    def client(self, service: str) -> Any:
        """The client of a service, created once. botocore retries throttled and interrupted calls by itself."""
        if service not in self._made:
            from botocore.config import Config

            from finetune_flows.tasks.aws.validation import check_requests_of

            config = Config(retries={"mode": "standard"}, max_pool_connections=64)
            make: Any = self.session.client  # its stub knows each service by a literal name
            self._made[service] = make(service, region_name=self.region, config=config)
            if service == "sagemaker":
                check_requests_of(self._made[service])
        return self._made[service]

    @cached_property
    def _made(self) -> dict[str, Any]:
        return {}
