"""The Model Registry mirrors the gate: a group for each recipe, a version for each candidate, its status moved."""

from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.platforms.contract import JudgedModel
from tests.support.quick_work import an_endpoint, labels
from tests.support.sagemaker.emulator import Emulator
from tests.tasks.platforms.sagemaker.platform_jobs import IMAGE, runner, use_quick_programs


@pytest.fixture(autouse=True)
def _serving(emulator: Emulator, tmp_path: Path) -> None:
    """The endpoint that is judged."""
    use_quick_programs(emulator)
    runner(tmp_path).start_endpoint(an_endpoint(tmp_path, "r-d1"))


def judged(tmp_path: Path, passed: bool, digest: str = "d1") -> JudgedModel:
    scores = tmp_path / "scores.json"
    scores.write_text('{"n": 6}')
    return JudgedModel(
        recipe="r",
        endpoint="r-d1",
        model_digest=digest,
        scores=scores,
        lineage={"dataset_digest": "d0", "TrainingJobName": "r-key-1"},
        passed=passed,
        reasons=["it gained 5 points", "surely"],
        labels=labels(),
    )


def versions(emulator: Emulator) -> list[dict[str, Any]]:
    sagemaker = emulator.client("sagemaker")
    listed = sagemaker.list_model_packages(ModelPackageGroupName="r")["ModelPackageSummaryList"]
    return [sagemaker.describe_model_package(ModelPackageName=each["ModelPackageArn"]) for each in listed]


def test_a_candidate_is_entered_with_its_scores_and_its_origin(emulator: Emulator, tmp_path: Path) -> None:
    runner(tmp_path).enter_model(judged(tmp_path, passed=True))
    (version,) = versions(emulator)
    assert version["ModelApprovalStatus"] == "Approved"
    assert version["ApprovalDescription"] == "it gained 5 points; surely"
    image = version["CustomerMetadataProperties"].pop("ServingImage")
    assert image.startswith(f"{IMAGE.partition(':')[0]}@sha256:")
    assert version["CustomerMetadataProperties"] == {"dataset_digest": "d0", "TrainingJobName": "r-key-1"}
    (container,) = version["InferenceSpecification"]["Containers"]
    assert container["Image"] == IMAGE
    assert container["ModelDataSource"]["S3DataSource"]["S3Uri"].startswith("s3://")
    bucket, _, key = version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"][5:].partition("/")
    assert emulator.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b'{"n": 6}'


def test_judged_again_the_version_moves_and_another_model_is_another_version(
    emulator: Emulator, tmp_path: Path
) -> None:
    platform = runner(tmp_path)
    platform.enter_model(judged(tmp_path, passed=False))
    assert [each["ModelApprovalStatus"] for each in versions(emulator)] == ["Rejected"]
    platform.enter_model(judged(tmp_path, passed=True))
    assert [each["ModelApprovalStatus"] for each in versions(emulator)] == ["Approved"]
    platform.enter_model(judged(tmp_path, passed=False, digest="d2"))
    assert sorted(each["ModelApprovalStatus"] for each in versions(emulator)) == ["Approved", "Rejected"]


def test_a_recipe_may_do_without(emulator: Emulator, tmp_path: Path) -> None:
    runner(tmp_path, model_registry=False).enter_model(judged(tmp_path, passed=True))
    assert emulator.record.of("CreateModelPackageGroup") == []
