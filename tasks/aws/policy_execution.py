"""The execution role. Only SageMaker may assume it, and it has only the permissions that jobs and endpoints need."""

from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy import Policy, Statement, arn, partition, use_key

TRUST: Policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
"""The trust policy of the execution role: only SageMaker may assume it."""


def trusts_sagemaker(role: dict[str, Any]) -> bool:
    """Whether SageMaker may assume this role (`Role` of a GetRole response)."""
    statements = role["AssumeRolePolicyDocument"]["Statement"]
    services = [each.get("Principal", {}).get("Service", []) for each in statements if each.get("Effect") == "Allow"]
    return any("sagemaker.amazonaws.com" in ([each] if isinstance(each, str) else each) for each in services)


def execution_statements(clients: Clients) -> list[Statement]:
    """The permissions of jobs and endpoints: their prefix of the bucket, their logs and metrics, and pulling images."""
    parts = (_own_objects, _reporting, _pulling_images, _only_if_used)
    return [statement for part in parts for statement in part(clients)]


def _own_objects(clients: Clients) -> list[Statement]:
    section, bucket = clients.section, arn(clients, "s3", clients.bucket)
    return [
        Statement(
            sid="OwnObjects",
            reason="Read channels and models; write models, outputs and checkpoints; only below the recipe's prefix.",
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


def _reporting(clients: Clients) -> list[Statement]:
    logs = arn(clients, "logs", "log-group:/aws/sagemaker/*", regional=True)
    return [
        Statement(
            sid="WriteLogs",
            reason="Write the output of the programs to CloudWatch Logs, where `finetune` reads it.",
            actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            resources=[logs, f"{logs}:log-stream:*"],
        ),
        Statement(
            sid="WriteMetrics",
            reason="Write loss and load to CloudWatch, where autoscaling and rollback alarms read them.",
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            condition={"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "AWS/SageMaker"]}},
        ),
    ]


def _pulling_images(clients: Clients) -> list[Statement]:
    return [
        Statement(
            sid="LogInToRegistry",
            reason="Get a token for pulling images. AWS permits no narrower resource.",
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],
        ),
        Statement(
            sid="PullImages",
            reason="Pull your images and AWS's, which belong to a different account in each region. Read only.",
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=[f"arn:{partition(clients)}:ecr:{clients.region}:*:repository/*"],
        ),
    ]


def _only_if_used(clients: Clients) -> list[Statement]:
    statements = use_key(clients)
    if clients.section.subnets:
        statements.append(
            Statement(
                sid="UseVpc",
                reason="Only with platform.subnets: let SageMaker create a network interface in your VPC and delete it again.",
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
