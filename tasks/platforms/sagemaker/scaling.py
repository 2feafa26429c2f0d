"""Scales the number of an endpoint's instances with its load."""

from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import code_of
from finetune_flows.tasks.platforms.sagemaker.serving_requests import VARIANT
from finetune_flows.tasks.sections.sagemaker import Autoscaling

_DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def scale(clients: Clients, endpoint: str) -> None:
    """Has Application Auto Scaling keep the recipe's load for each instance. Repeating it changes nothing."""
    settings = clients.section.autoscaling
    if settings is None:
        return
    scaling = clients.client("application-autoscaling")
    scaling.register_scalable_target(
        **_target(endpoint), MinCapacity=settings.min_instances, MaxCapacity=settings.max_instances
    )
    scaling.put_scaling_policy(
        **_target(endpoint),
        PolicyName=f"{endpoint}-load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking(endpoint, settings, clients.section.asynchronous),
    )
    if settings.min_instances == 0:
        _wake(clients, endpoint)


def unscale(clients: Clients, endpoint: str) -> None:
    """Removes scaling from an endpoint. No error if it has none."""
    from botocore.exceptions import ClientError

    try:  # also if this section has no autoscaling, because another section may have made the endpoint
        clients.client("application-autoscaling").deregister_scalable_target(**_target(endpoint))
    except ClientError as error:
        if code_of(error) != "ObjectNotFoundException" and clients.section.autoscaling is not None:
            raise
    clients.client("cloudwatch").delete_alarms(AlarmNames=[f"{endpoint}-wake"])


def tracking(endpoint: str, settings: Autoscaling, asynchronous: bool) -> dict[str, Any]:
    """The policy: requests a minute for each instance or, for an asynchronous endpoint, waiting requests for each."""
    policy: dict[str, Any] = {
        "TargetValue": settings.requests_per_instance,
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 60,
    }
    if asynchronous:
        policy["CustomizedMetricSpecification"] = {
            "MetricName": "ApproximateBacklogSizePerInstance",
            "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
            "Statistic": "Average",
        }
    else:
        metric = "SageMakerVariantInvocationsPerInstance"
        policy["PredefinedMetricSpecification"] = {"PredefinedMetricType": metric}
    return policy


def _wake(clients: Clients, endpoint: str) -> None:
    """Starts an instance on the first waiting request if there are none."""
    # Target tracking alone cannot do it, because it divides by the number of instances.
    step = {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}
    policy = clients.client("application-autoscaling").put_scaling_policy(
        **_target(endpoint),
        PolicyName=f"{endpoint}-wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": 300,
            "StepAdjustments": [step],
        },
    )
    clients.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{endpoint}-wake",
        MetricName="HasBacklogWithoutCapacity",
        Namespace="AWS/SageMaker",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=2,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        AlarmActions=[policy["PolicyARN"]],
    )


def _target(endpoint: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{VARIANT}",
        "ScalableDimension": _DIMENSION,
    }
