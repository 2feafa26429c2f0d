"""CloudWatch's measurements of an endpoint, and the alarms that watch it.

One alarm rolls an update back; the others watch the recipe's limits all the time. Their names are fixed, so that they
can be deleted with the endpoint, whoever made them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.sagemaker.requests import Request
from finetune_flows.tasks.platforms.sagemaker.serving_requests import VARIANT
from finetune_flows.tasks.sections.stages import MonitoringSection

MINUTES = 15  # length of a window
_ALARM_MINUTES = 5  # time over which an alarm compares a value with its limit
_REQUESTS, _INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
_LATENCIES = ("p50", "p95", "p99")
_MICROSECONDS = 1_000_000  # in a second: CloudWatch measures latencies in microseconds
_USED = {"gpu": "GPUUtilization", "gpu_memory": "GPUMemoryUtilization", "memory": "MemoryUtilization"}


def window(clients: Clients, name: str, now: datetime) -> Window:
    """What an endpoint did in the last complete quarter of an hour.

    Raises:
        EnvironmentProblem: CloudWatch refuses.
        TryLater: CloudWatch cannot be reached.
    """
    # Percentiles of several periods cannot be merged, so the window is one period of CloudWatch.
    since, until = last_period(now)
    cloudwatch = clients.client("cloudwatch")
    with aws_errors(f"looking at {name} in CloudWatch"):
        answer = cloudwatch.get_metric_data(MetricDataQueries=queries(name), StartTime=since, EndTime=until)
    values = {result["Id"]: result["Values"][0] for result in answer["MetricDataResults"] if result["Values"]}
    return window_of(name, since, until, values)


def last_period(now: datetime) -> tuple[datetime, datetime]:
    """Start and end of the last complete quarter of an hour, in UTC."""
    moment = now.astimezone(UTC).replace(second=0, microsecond=0)
    until = moment - timedelta(minutes=moment.minute % MINUTES)
    return until - timedelta(minutes=MINUTES), until


def queries(endpoint: str) -> list[dict[str, Any]]:
    """CloudWatch's MetricDataQueries for all values of a window."""
    return [
        _query(endpoint, "requests", "Invocations", "Sum"),
        _query(endpoint, "errors4xx", "Invocation4XXErrors", "Sum"),
        _query(endpoint, "errors5xx", "Invocation5XXErrors", "Sum"),
        *(_query(endpoint, share, "ModelLatency", share) for share in _LATENCIES),
        *(_query(endpoint, name, metric, "Average", _INSTANCES) for name, metric in _USED.items()),
    ]


def _query(endpoint: str, name: str, metric: str, statistic: str, namespace: str = _REQUESTS) -> dict[str, Any]:
    what = {"Namespace": namespace, "MetricName": metric, "Dimensions": _dimensions(endpoint)}
    return {"Id": name, "MetricStat": {"Metric": what, "Period": MINUTES * 60, "Stat": statistic}}


def window_of(endpoint: str, since: datetime, until: datetime, values: dict[str, float]) -> Window:
    """The window from values by query id, latencies in microseconds. An id is absent if CloudWatch has no value."""
    seconds = {share: values[share] / _MICROSECONDS for share in _LATENCIES if share in values}
    return Window(
        endpoint=endpoint,
        since=since,
        until=until,
        requests=round(values.get("requests", 0)),
        errors=round(values.get("errors4xx", 0) + values.get("errors5xx", 0)),
        p50=seconds.get("p50"),
        p95=seconds.get("p95"),
        p99=seconds.get("p99"),
        use={name: values[name] for name in _USED if name in values},
    )


def put_rollback_alarm(clients: Clients, endpoint: str) -> str:
    """Puts an alarm on answers with status 5xx; returns its name."""
    alarm = {
        "AlarmName": f"{endpoint}-errors",
        "MetricName": "Invocation5XXErrors",
        "Namespace": _REQUESTS,
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
    """Puts an alarm for each limit, replacing those that exist; returns their names."""
    alarms = limit_alarms(endpoint, limits)
    for alarm in alarms:
        clients.client("cloudwatch").put_metric_alarm(**alarm)
    return [str(alarm["AlarmName"]) for alarm in alarms]


def delete_alarms(clients: Clients, endpoint: str) -> None:
    """Deletes all alarms of an endpoint. No error if there are none."""
    names = [f"{endpoint}-{what}" for what in ("errors", "slow", "failing")]
    clients.client("cloudwatch").delete_alarms(AlarmNames=names)


def limit_alarms(endpoint: str, limits: MonitoringSection) -> list[Request]:
    """A PutMetricAlarm request for each limit. With too few requests the expression is 0, so that no alarm is raised."""
    requests = _metric("requests", endpoint, "Invocations", "Sum")
    alarms = []
    if limits.p95_seconds is not None:
        parts = [requests, _metric("latency", endpoint, "ModelLatency", "p95")]
        value = f"latency / {_MICROSECONDS}"
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
    what = {"Namespace": _REQUESTS, "MetricName": metric, "Dimensions": _dimensions(endpoint)}
    return {
        "Id": name,
        "MetricStat": {"Metric": what, "Period": _ALARM_MINUTES * 60, "Stat": statistic},
        "ReturnData": False,
    }


def _dimensions(endpoint: str) -> list[dict[str, Any]]:
    return [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": VARIANT}]
