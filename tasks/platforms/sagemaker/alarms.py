"""CloudWatch alarms of an endpoint: one turns an update back, the others watch the recipe's limits all the time.

Their names are fixed, so that they are found and deleted with the endpoint, whoever made them.
"""

from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.platforms.sagemaker.requests import Request
from finetune_flows.tasks.platforms.sagemaker.serving_requests import VARIANT
from finetune_flows.tasks.sections.stages import MonitoringSection

_MINUTES = 5  # a limit is looked at over so long


def put_rollback_alarm(clients: Clients, endpoint: str) -> str:
    """An alarm on answers with status 5xx; returns its name."""
    alarm = {
        "AlarmName": f"{endpoint}-errors",
        "MetricName": "Invocation5XXErrors",
        "Namespace": "AWS/SageMaker",
        "Dimensions": _dimensions(endpoint),
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.05,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    clients.client("cloudwatch").put_metric_alarm(**alarm)
    return str(alarm["AlarmName"])


def put_limit_alarms(clients: Clients, endpoint: str, limits: MonitoringSection) -> list[str]:
    """An alarm for each limit, the same ones again when they exist; returns their names."""
    alarms = limit_alarms(endpoint, limits)
    for alarm in alarms:
        clients.client("cloudwatch").put_metric_alarm(**alarm)
    return [str(alarm["AlarmName"]) for alarm in alarms]


def delete_alarms(clients: Clients, endpoint: str) -> None:
    """All of the endpoint's. No error when there are none."""
    names = [f"{endpoint}-{what}" for what in ("errors", "slow", "failing")]
    clients.client("cloudwatch").delete_alarms(AlarmNames=names)


def limit_alarms(endpoint: str, limits: MonitoringSection) -> list[Request]:
    """PutMetricAlarm for each limit: with too few requests, an expression is 0 and nothing is concluded."""
    requests = _metric("requests", endpoint, "Invocations", "Sum")
    alarms = []
    if limits.p95_seconds is not None:
        parts = [requests, _metric("latency", endpoint, "ModelLatency", "p95")]
        value = "latency / 1000000"  # CloudWatch has microseconds
        alarms.append(_alarm(f"{endpoint}-slow", parts, value, limits.p95_seconds, limits))
    if limits.error_rate is not None:
        names = {"errors4xx": "Invocation4XXErrors", "errors5xx": "Invocation5XXErrors"}
        parts = [requests, *(_metric(each, endpoint, metric, "Sum") for each, metric in names.items())]
        value = "(errors4xx + errors5xx) / requests"
        alarms.append(_alarm(f"{endpoint}-failing", parts, value, limits.error_rate, limits))
    return alarms


def _alarm(name: str, parts: list[Request], value: str, threshold: float, limits: MonitoringSection) -> Request:
    watched = {"Id": "value", "Expression": f"IF(requests >= {limits.min_requests}, {value}, 0)", "ReturnData": True}
    return {
        "AlarmName": name,
        "AlarmDescription": "Made by finetune-flows for a limit of the recipe; deleted with the endpoint.",
        "Metrics": [*parts, watched],
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [limits.topic] if limits.topic else [],
    }


def _metric(name: str, endpoint: str, metric: str, statistic: str) -> Request:
    what = {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": _dimensions(endpoint)}
    return {"Id": name, "MetricStat": {"Metric": what, "Period": _MINUTES * 60, "Stat": statistic}, "ReturnData": False}


def _dimensions(endpoint: str) -> list[dict[str, Any]]:
    return [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": VARIANT}]
