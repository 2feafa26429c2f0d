"""Monitoring an endpoint of SageMaker's: it slows down and fails, CloudWatch has it, the breach starts `retrain`."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from finetune_flows.flows.monitor import monitor
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec
from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection
from finetune_flows.tasks.recipe import Recipe, parse_recipe
from tests.flows.conftest import content, home, prefect_server, tiny_model
from tests.flows.test_monitor import events_of, eventually, retrain_id, runs_of
from tests.support.quick_work import SERVING, labels
from tests.support.sagemaker.emulator import Emulator
from tests.support.sagemaker.tables import now
from tests.tasks.platforms.sagemaker.platform_jobs import IMAGE, use_quick_programs

pytestmark = pytest.mark.slow
__all__ = ["content", "home", "prefect_server", "retrain_id", "tiny_model"]


@pytest.fixture
def watched(content: dict[str, Any]) -> Recipe:
    limits = {"p95_seconds": 0.5, "error_rate": 0.2, "min_requests": 4}
    images = {"kind": "sagemaker", "training_image": IMAGE, "serving_image": IMAGE}
    return parse_recipe(content | {"name": "demo", "platform": images, "monitoring": limits}, "watched")


@pytest.fixture
def endpoint(emulator: Emulator, home: Path, watched: Recipe, tmp_path: Path) -> Endpoint:
    use_quick_programs(emulator)
    model = tmp_path / "served"
    model.mkdir()
    (model / "config.json").write_text("{}")
    spec = EndpointSpec(
        name="demo-1",
        model=model,
        model_digest="d",
        serving=SERVING,
        labels=labels().model_copy(update={"recipe": watched.name}),
    )
    return platform_of(watched.platform).start_endpoint(spec)


def ask(endpoint: Endpoint, times: int = 6, **body: object) -> list[int]:
    def call(_: int) -> int:
        with SageMakerConnection(endpoint.url).client(60) as client:
            return client.post("/v1/chat/completions", json=body).status_code

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call, range(times)))


def test_alarms_watch_the_limits_and_go_with_the_endpoint(
    emulator: Emulator, endpoint: Endpoint, watched: Recipe
) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:on-call"
    limits = watched.monitoring.model_copy(update={"alarms": True, "topic": topic})
    for _ in range(2):
        monitor(watched.model_copy(update={"monitoring": limits}))
    alarms = {each["AlarmName"]: each for each in emulator.account.cloudwatch.describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {"demo-1-slow", "demo-1-failing"}
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms.values())
    assert alarms["demo-1-failing"]["Threshold"] == 0.2
    [expression] = [each["Expression"] for each in alarms["demo-1-slow"]["Metrics"] if each.get("ReturnData")]
    assert expression == "IF(requests >= 4, latency / 1000000, 0)"
    assert platform_of(watched.platform).delete_endpoint(endpoint.name)
    assert emulator.account.cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_a_slow_and_a_failing_endpoint_are_seen_in_cloudwatch_and_start_retrain(
    emulator: Emulator, endpoint: Endpoint, watched: Recipe, retrain_id: UUID
) -> None:
    left = 900 - now().timestamp() % 900
    time.sleep(left if left < 60 else 0)  # the quarter that is looked at must not change meanwhile
    emulator.usage.clock = lambda: now() - timedelta(minutes=15)
    assert set(ask(endpoint, question=1)) == {200}
    calm = monitor(watched)
    assert calm.broken == {}
    assert calm.windows[0].requests == 6
    assert calm.windows[0].p95 is not None
    assert runs_of(retrain_id) == []

    assert set(ask(endpoint, sleep=1)) == {200}
    slow = monitor(watched)
    [sentence] = slow.broken["demo-1"]
    assert "took more than" in sentence

    assert set(ask(endpoint, times=8, fail=503)) == {503}
    failing = monitor(watched)
    assert failing.windows[0].error_rate == 8 / 20
    assert any(sentence.startswith("40.0 % of 20 requests failed") for sentence in failing.broken["demo-1"])

    assert eventually(lambda: len(events_of(endpoint)) == 2)
    assert eventually(lambda: len(runs_of(retrain_id)) == 2), "one for each breach; no worker takes them here"
