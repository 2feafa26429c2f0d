"""CloudWatch metrics and alarms of a SageMaker endpoint."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.sagemaker.alarms import put_limit_alarms
from finetune_flows.tasks.platforms.sagemaker.serving_requests import VARIANT
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform
from finetune_flows.tasks.sections.stages import MonitoringSection

MINUTES = 15
_REQUESTS, _INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
_LATENCIES = ("p50", "p95", "p99")
_MICROSECONDS = 1_000_000
_USED = {"gpu": "GPUUtilization", "gpu_memory": "GPUMemoryUtilization", "memory": "MemoryUtilization"}


def sagemaker_window(name: str, url: str, now: datetime) -> Window:
    """The last complete quarter of an hour.

    Raises:
        EnvironmentProblem, TryLater: CloudWatch refuses, or cannot be reached.
    """
    # One period, not the time since the last look: CloudWatch cannot merge the percentiles of several periods.
    since, until = last_period(now)
    cloudwatch = clients_of(url).client("cloudwatch")
    with aws_errors(f"looking at {name} in CloudWatch"):
        answer = cloudwatch.get_metric_data(MetricDataQueries=queries(name), StartTime=since, EndTime=until)
    values = {result["Id"]: result["Values"][0] for result in answer["MetricDataResults"] if result["Values"]}
    return window_of(name, since, until, values)


def watch(name: str, url: str, limits: MonitoringSection) -> list[str]:
    """Creates alarms for the limits of an endpoint and returns their names. Repeating it changes nothing.

    Raises:
        EnvironmentProblem, TryLater: CloudWatch refuses, or cannot be reached.
    """
    with aws_errors(f"putting alarms on {name}"):
        return put_limit_alarms(clients_of(url), name, limits)


def clients_of(url: str) -> Clients:
    """Clients for the account in an endpoint's address, sagemaker://[profile@]region/name."""
    parts = urlsplit(url)
    return Clients(SageMakerPlatform(region=parts.hostname, profile=parts.username))


def last_period(now: datetime) -> tuple[datetime, datetime]:
    """Start and end of the last complete quarter of an hour, in UTC."""
    moment = now.astimezone(UTC).replace(second=0, microsecond=0)
    until = moment - timedelta(minutes=moment.minute % MINUTES)
    return until - timedelta(minutes=MINUTES), until


def queries(endpoint: str) -> list[dict[str, Any]]:
    """CloudWatch's MetricDataQueries for all fields of a window."""
    return [
        _query(endpoint, "requests", "Invocations", "Sum"),
        _query(endpoint, "errors4xx", "Invocation4XXErrors", "Sum"),
        _query(endpoint, "errors5xx", "Invocation5XXErrors", "Sum"),
        *(_query(endpoint, share, "ModelLatency", share) for share in _LATENCIES),
        *(_query(endpoint, name, metric, "Average", _INSTANCES) for name, metric in _USED.items()),
    ]


def _query(endpoint: str, name: str, metric: str, statistic: str, namespace: str = _REQUESTS) -> dict[str, Any]:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": VARIANT}]
    what = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": what, "Period": MINUTES * 60, "Stat": statistic}}


def window_of(endpoint: str, since: datetime, until: datetime, values: dict[str, float]) -> Window:
    """A window from values by query id. CloudWatch omits an id without data; ModelLatency is in microseconds."""
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
