"""An asynchronous endpoint is asked like any other: question and answer go through S3 and leave nothing there."""

import asyncio
from pathlib import Path

import pytest

from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection
from tests.support.quick_work import an_endpoint
from tests.support.sagemaker.emulator import BUCKET, Emulator
from tests.tasks.platforms.sagemaker.platform_jobs import runner, use_quick_programs

SCALED = {"asynchronous": True, "autoscaling": {"min_instances": 0, "max_instances": 2}}


@pytest.fixture
def url(emulator: Emulator, tmp_path: Path) -> str:
    use_quick_programs(emulator)
    return runner(tmp_path, **SCALED).start_endpoint(an_endpoint(tmp_path, "r-d1")).url


def test_questions_go_through_s3_and_leave_nothing_there(emulator: Emulator, url: str) -> None:
    async def ask_three() -> list[int]:
        async with SageMakerConnection(url).async_client(30, connections=3) as client:
            replies = await asyncio.gather(*(client.post("/v1/chat/completions", json={"n": n}) for n in range(3)))
        return [reply.json()["asked"]["n"] for reply in replies]

    assert asyncio.run(ask_three()) == [0, 1, 2]
    with SageMakerConnection(url).client(30) as client:
        assert client.post("/v1/chat/completions", json={"fail": 500}).status_code == 500
        assert client.post("/tokenize", json={}).status_code == 404
    assert emulator.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="finetune/requests").get("KeyCount") == 0


def test_it_scales_to_nothing_and_wakes_on_the_first_question(emulator: Emulator, url: str, tmp_path: Path) -> None:
    scaling = emulator.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 2)
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert {each["PolicyName"] for each in policies} == {"r-d1-load", "r-d1-wake"}
    (alarm,) = emulator.client("cloudwatch").describe_alarms(AlarmNames=["r-d1-wake"])["MetricAlarms"]
    assert alarm["MetricName"] == "HasBacklogWithoutCapacity"

    runner(tmp_path, **SCALED).delete_endpoint("r-d1")
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    assert emulator.client("cloudwatch").describe_alarms(AlarmNames=["r-d1-wake"])["MetricAlarms"] == []
