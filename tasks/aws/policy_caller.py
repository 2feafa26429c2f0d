"""What whoever starts jobs and endpoints has to be permitted, made from the recipe's section."""

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy import Statement, arn, partition, use_key


def caller_statements(clients: Clients) -> list[Statement]:
    """What whoever starts runs must be permitted. It is shown, never granted: your administrators decide."""
    parts = (_running, _moving_files, _watching, _scaling, _checking_first, use_key)
    return [statement for part in parts for statement in part(clients)]


def _running(clients: Clients) -> list[Statement]:
    own = [arn(clients, "sagemaker", f"{kind}/*", regional=True) for kind in _SAGEMAKER_KINDS]
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
    bucket = arn(clients, "s3", clients.bucket)
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
            resources=[arn(clients, "logs", "log-group:/aws/sagemaker/*", regional=True)],
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
            reason="Autoscaling, and the alarms of an endpoint: on its limits, and to roll an update back.",
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
                f"arn:{partition(clients)}:iam::*:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"
            ],
        ),
    ]


def _checking_first(_: Clients) -> list[Statement]:
    return [
        Statement(
            sid="Preflight",
            reason="Optional. Check quotas, prices, PassRole and your own images before anything is uploaded, and record which image trained; without it, that is noted.",
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
