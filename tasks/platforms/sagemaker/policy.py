"""Least-privilege IAM policies, made from the recipe's section: what jobs and endpoints may do, and who starts them.

Each statement has a reason; docs/aws.md shows them in a table, and a test holds the two together.
"""

from typing import Any

from tasks.platforms.contract import Frozen
from tasks.platforms.sagemaker.clients import Clients

Policy = dict[str, Any]

TRUST: Policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
"""Who may take the execution role: SageMaker alone."""


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


def execution_statements(clients: Clients) -> list[Statement]:
    """What a job and an endpoint may do: their own prefix of the bucket, their logs and metrics, pulling images."""
    parts = (_own_objects, _telling, _pulling_images, _only_if_used)
    return [statement for part in parts for statement in part(clients)]


def _own_objects(clients: Clients) -> list[Statement]:
    section, bucket = clients.section, _arn(clients, "s3", clients.bucket)
    return [
        Statement(
            sid="OwnObjects",
            reason="Read channels and models, write models, outputs and checkpoints, below the recipe's prefix only.",
            actions=["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            resources=[f"{bucket}/{section.prefix}/*"],
        ),
        Statement(
            sid="ListOwnObjects",
            reason="SageMaker lists a channel's prefix before it copies it.",
            actions=["s3:ListBucket"],
            resources=[bucket],
            condition={"StringLike": {"s3:prefix": [section.prefix, f"{section.prefix}/*"]}},
        ),
        Statement(
            sid="BucketRegion",
            reason="SageMaker checks that the bucket is in the job's region.",
            actions=["s3:GetBucketLocation"],
            resources=[bucket],
        ),
    ]


def _telling(clients: Clients) -> list[Statement]:
    logs = _arn(clients, "logs", "log-group:/aws/sagemaker/*", regional=True)
    return [
        Statement(
            sid="WriteLogs",
            reason="What the programs print goes to CloudWatch Logs, from where we show it.",
            actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            resources=[logs, f"{logs}:log-stream:*"],
        ),
        Statement(
            sid="WriteMetrics",
            reason="Loss and load go to CloudWatch; autoscaling and rollback alarms look at them.",
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            condition={"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "AWS/SageMaker"]}},
        ),
    ]


def _pulling_images(clients: Clients) -> list[Statement]:
    return [
        Statement(
            sid="LogInToRegistry",
            reason="A token for pulling images; AWS has no narrower resource for it.",
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],
        ),
        Statement(
            sid="PullImages",
            reason="Pull AWS's containers, which belong to another account in each region, or your own. Reading only.",
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=[f"arn:{_partition(clients)}:ecr:{clients.region}:*:repository/*"],
        ),
    ]


def _only_if_used(clients: Clients) -> list[Statement]:
    statements = _keys(clients)
    if clients.section.subnets:
        statements.append(
            Statement(
                sid="UseVpc",
                reason="Only with platform.subnets: SageMaker puts a network interface into your VPC and removes it again.",
                actions=[
                    "ec2:CreateNetworkInterface",
                    "ec2:CreateNetworkInterfacePermission",
                    "ec2:DeleteNetworkInterface",
                    "ec2:DeleteNetworkInterfacePermission",
                    "ec2:DescribeDhcpOptions",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                resources=["*"],
            )
        )
    return statements


def _keys(clients: Clients) -> list[Statement]:
    if clients.section.kms_key is None:
        return []
    reason = "Only with platform.kms_key: encrypt and decrypt objects and disks with your key."
    actions = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    return [Statement(sid="UseKey", reason=reason, actions=actions, **_key(clients, clients.section.kms_key))]


def _key(clients: Clients, key: str) -> dict[str, Any]:
    """A policy cannot name an alias as its resource: it is a condition on all keys of the account."""
    if key.startswith("alias/"):
        condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": key}}
        return {"resources": [_arn(clients, "kms", "key/*", regional=True)], "condition": condition}
    return {"resources": [key if key.startswith("arn:") else _arn(clients, "kms", f"key/{key}", regional=True)]}


def caller_statements(clients: Clients) -> list[Statement]:
    """What whoever starts runs must be permitted. It is shown, never granted: your administrators decide."""
    parts = (_running, _moving_files, _watching, _scaling, _checking_first, _keys)
    return [statement for part in parts for statement in part(clients)]


def _running(clients: Clients) -> list[Statement]:
    own = [_arn(clients, "sagemaker", f"{kind}/*", regional=True) for kind in _SAGEMAKER_KINDS]
    return [
        Statement(
            sid="Run",
            reason="Create, look at, stop and delete jobs, models, endpoints and versions in the Model Registry.",
            actions=[f"sagemaker:{action}" for action in _SAGEMAKER_ACTIONS],
            resources=own,
        ),
        Statement(
            sid="Find",
            reason="List endpoints and what they are made of, to find and sweep our own; AWS has no narrower resource for it.",
            actions=[
                "sagemaker:ListEndpointConfigs",
                "sagemaker:ListEndpoints",
                "sagemaker:ListModelPackages",
                "sagemaker:ListModels",
            ],
            resources=["*"],
        ),
        Statement(
            sid="PassRole",
            reason="Hand the execution role, and no other, to SageMaker.",
            actions=["iam:GetRole", "iam:PassRole"],
            resources=[clients.role_arn],
        ),
    ]


def _moving_files(clients: Clients) -> list[Statement]:
    bucket = _arn(clients, "s3", clients.bucket)
    return [
        Statement(
            sid="Transfer",
            reason="Upload data and code, fetch results, remove what is over.",
            actions=["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources=[f"{bucket}/{clients.section.prefix}/*"],
        ),
        Statement(
            sid="LookAtBucket",
            reason="See what is there already, and that the bucket is in the right region.",
            actions=["s3:GetBucketLocation", "s3:ListBucket"],
            resources=[bucket],
        ),
    ]


def _watching(clients: Clients) -> list[Statement]:
    return [
        Statement(
            sid="ReadLogs",
            reason="Show what jobs and endpoints print.",
            actions=["logs:DescribeLogStreams", "logs:GetLogEvents"],
            resources=[_arn(clients, "logs", "log-group:/aws/sagemaker/*", regional=True)],
        ),
        Statement(
            sid="Watch",
            reason="`finetune monitor`: latency, errors and load of endpoints; AWS has no narrower resource for it.",
            actions=["cloudwatch:GetMetricData"],
            resources=["*"],
        ),
    ]


def _scaling(clients: Clients) -> list[Statement]:
    return [
        Statement(
            sid="Scale",
            reason="Autoscaling, and the alarms that roll an update of an endpoint back.",
            actions=[
                "application-autoscaling:DeregisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:RegisterScalableTarget",
                "cloudwatch:DeleteAlarms",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:PutMetricAlarm",
            ],
            resources=["*"],
        ),
        Statement(
            sid="ScaleFirstTime",
            reason="The first autoscaled endpoint of an account makes AWS's own role for it.",
            actions=["iam:CreateServiceLinkedRole"],
            resources=[
                f"arn:{_partition(clients)}:iam::*:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"
            ],
        ),
    ]


def _checking_first(_: Clients) -> list[Statement]:
    return [
        Statement(
            sid="Preflight",
            reason="Optional. Check quotas, prices, PassRole and your own images before anything is uploaded; without it, that is noted.",
            actions=[
                "ecr:DescribeImages",
                "iam:SimulatePrincipalPolicy",
                "pricing:GetProducts",
                "servicequotas:ListServiceQuotas",
            ],
            resources=["*"],
        ),
    ]


_SAGEMAKER_KINDS = ("training-job", "model", "endpoint-config", "endpoint", "model-package-group", "model-package")
_SAGEMAKER_ACTIONS = (
    "AddTags",
    "CreateEndpoint",
    "CreateEndpointConfig",
    "CreateModel",
    "CreateModelPackage",
    "CreateModelPackageGroup",
    "CreateTrainingJob",
    "DeleteEndpoint",
    "DeleteEndpointConfig",
    "DeleteModel",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
    "DescribeModel",
    "DescribeTrainingJob",
    "InvokeEndpoint",
    "InvokeEndpointAsync",
    "ListTags",
    "StopTrainingJob",
    "UpdateEndpoint",
    "UpdateEndpointWeightsAndCapacities",
    "UpdateModelPackage",
)


def _arn(clients: Clients, service: str, resource: str, regional: bool = False) -> str:
    """S3's ARNs name neither region nor account."""
    place = f"{clients.region}:{clients.account}" if regional else ":"
    return f"arn:{_partition(clients)}:{service}:{place}:{resource}"


def _partition(clients: Clients) -> str:
    """`aws`, or `aws-cn` and the like."""
    return str(clients.session.get_partition_for_region(clients.region))
