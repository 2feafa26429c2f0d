"""The permissions of the person who starts jobs and endpoints, built from the recipe's platform section."""

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy import Statement, arn, partition, use_key


def caller_statements(clients: Clients) -> list[Statement]:
    """The permissions that starting runs needs. They are shown and never granted: your administrators decide."""
    parts = (_running, _moving_files, _watching, _scaling, _checking_first, use_key)
    return [statement for part in parts for statement in part(clients)]


def _running(clients: Clients) -> list[Statement]:
    own = [arn(clients, "sagemaker", f"{kind}/*", regional=True) for kind in _SAGEMAKER_KINDS]
    return [
        Statement(
            sid="Run",
            reason="Create, describe, stop and delete jobs, models, endpoints and versions in the Model Registry.",
            actions=[f"sagemaker:{action}" for action in _SAGEMAKER_ACTIONS],
            resources=own,
        ),
        Statement(
            sid="Find",
            reason="List endpoints and their parts, to find and sweep our own. AWS permits no narrower resource.",
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
            reason="Pass the execution role, and no other role, to SageMaker.",
            actions=["iam:GetRole", "iam:PassRole"],
            resources=[clients.role_arn],
        ),
    ]


def _moving_files(clients: Clients) -> list[Statement]:
    bucket = arn(clients, "s3", clients.bucket)
    return [
        Statement(
            sid="Transfer",
            reason="Upload data and code, download results, delete what is no longer needed.",
            actions=["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources=[f"{bucket}/{clients.section.prefix}/*"],
        ),
        Statement(
            sid="LookAtBucket",
            reason="Find files that exist already, and check that the bucket is in the right region.",
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
            resources=[arn(clients, "logs", "log-group:/aws/sagemaker/*", regional=True)],
        ),
        Statement(
            sid="Watch",
            reason="`finetune monitor`: read latency, errors and load of endpoints. AWS permits no narrower resource.",
            actions=["cloudwatch:GetMetricData"],
            resources=["*"],
        ),
    ]


def _scaling(clients: Clients) -> list[Statement]:
    return [
        Statement(
            sid="Scale",
            reason="Set up autoscaling, and alarms that watch an endpoint's limits and roll back an update.",
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
            reason="Create AWS's own autoscaling role, once per account, with the first autoscaled endpoint.",
            actions=["iam:CreateServiceLinkedRole"],
            resources=[
                f"arn:{partition(clients)}:iam::*:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"
            ],
        ),
    ]


def _checking_first(_: Clients) -> list[Statement]:
    return [
        Statement(
            sid="Preflight",
            reason="Optional. Check quotas, prices, PassRole and your own images before anything is uploaded, and record the training image. Without it, the report notes what was not checked.",
            actions=[
                "ecr:BatchGetImage",
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
