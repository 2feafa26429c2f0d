"""CloudWatch's part of a look, on moto. moto knows no percentiles: latencies are missing here, as on an idle endpoint."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from finetune_flows.tasks.platforms.contract import Endpoint, Labels
from finetune_flows.tasks.platforms.sagemaker.cloudwatch import last_period, queries
from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner
from finetune_flows.tasks.platforms.sagemaker.serving_requests import VARIANT
from finetune_flows.tasks.recipe import SageMakerPlatform

REGION = "eu-central-1"


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("cloudwatch", region_name=REGION)


def put(cloudwatch: Any, name: str, value: float, at: datetime, namespace: str = "AWS/SageMaker") -> None:
    dimensions = [{"Name": "EndpointName", "Value": "demo-1"}, {"Name": "VariantName", "Value": VARIANT}]
    datum = {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])


def test_a_sagemaker_endpoint_is_looked_at_through_cloudwatch(cloudwatch: Any) -> None:
    since, until = last_period(datetime.now(UTC))
    for minute in (1, 2, 3):
        put(cloudwatch, "Invocations", 10, since + timedelta(minutes=minute))
    put(cloudwatch, "Invocation4XXErrors", 2, since + timedelta(minutes=1))
    put(cloudwatch, "Invocation5XXErrors", 4, since + timedelta(minutes=3))
    put(cloudwatch, "GPUUtilization", 80, since + timedelta(minutes=3), "/aws/sagemaker/Endpoints")
    put(cloudwatch, "Invocations", 1000, since - timedelta(minutes=1))
    labels = Labels(recipe="demo", step_key="k", flow_run="r", expires_at=until)
    endpoint = Endpoint(name="demo-1", url=f"sagemaker://{REGION}/demo-1", model_digest="d", labels=labels)
    seen = SageMakerRunner(SageMakerPlatform(region=REGION)).window(endpoint)
    assert (seen.since, seen.until) == (since, until)
    assert (seen.requests, seen.errors, seen.error_rate) == (30, 6, 0.2)
    assert seen.use == {"gpu": 80}
    assert seen.p95 is None


def test_latency_is_asked_for_by_percentile() -> None:
    asked = {query["Id"]: query["MetricStat"] for query in queries("demo-1")}
    assert [asked[share]["Stat"] for share in ("p50", "p95", "p99")] == ["p50", "p95", "p99"]
    assert asked["p95"]["Metric"]["MetricName"] == "ModelLatency"
