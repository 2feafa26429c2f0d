"""AWS clients of one recipe section: made when they are first needed, all from one session.

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

PLACEHOLDER_ACCOUNT = "123456789012"  # AWS's own example account, for requests that are only shown


class Clients:
    """The session, its clients, and what the account decides: names of bucket and role."""

    def __init__(self, section: SageMakerPlatform, account: str | None = None) -> None:
        self.section = section
        self._account = account

    @cached_property
    def session(self) -> "boto3.Session":
        """Raises EnvironmentProblem when boto3 is not installed or the profile is unknown."""
        try:
            import boto3
            from botocore.exceptions import ProfileNotFound
        except ImportError as error:
            raise EnvironmentProblem(NEEDS_BOTO3) from error
        try:
            region = self.section.region or os.environ.get("AWS_REGION")  # which the AWS CLI reads, and boto3 does not
            return boto3.Session(profile_name=self.section.profile, region_name=region)
        except ProfileNotFound as error:
            raise EnvironmentProblem(f"{error}. Next: aws configure --profile {self.section.profile}") from error

    @cached_property
    def region(self) -> str:
        """Raises EnvironmentProblem when none is set anywhere."""
        region: str | None = self.session.region_name
        if region is None:
            raise EnvironmentProblem("no AWS region is set. Next: set platform.region, or AWS_REGION")
        return region

    @cached_property
    def account(self) -> str:
        """The account's 12 digits, asked of STS once."""
        return self._account or str(self.client("sts").get_caller_identity()["Account"])

    @property
    def bucket(self) -> str:
        """The recipe's bucket, or the one that `setup aws` makes."""
        return self.section.bucket or f"finetune-flows-{self.account}-{self.region}"

    @property
    def home(self) -> str:
        """`s3://bucket/prefix`: whose a job or endpoint is."""
        return f"s3://{self.bucket}/{self.section.prefix}"

    @property
    def role_arn(self) -> str:
        """The execution role as an ARN."""
        role = self.section.role
        partition = self.session.get_partition_for_region(self.region)
        return role if role.startswith("arn:") else f"arn:{partition}:iam::{self.account}:role/{role}"

    @property
    def role_name(self) -> str:
        """Name of the execution role."""
        return self.section.role.split("/")[-1]

    @property
    def stack(self) -> str:
        """Name of the CloudFormation stack of `setup aws`: one for each role, so that no recipe takes another's away."""
        return re.sub("[^A-Za-z0-9]+", "-", self.role_name) + "-setup"

    @property
    def credentials(self) -> Any:
        """botocore's credentials, which renew themselves. Raises EnvironmentProblem when there are none."""
        found = self.session.get_credentials()
        if found is None:
            raise EnvironmentProblem("no AWS credentials are found. Next: aws configure, or aws sso login")
        return found

    def client(self, service: str) -> Any:
        """The client of a service, made once. botocore tries throttled and broken calls again by itself."""
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
