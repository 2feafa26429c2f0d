"""The preflight against the emulator: all that stands against a run is told at once, and nothing is uploaded."""

from pathlib import Path
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.plan import find_made, look_ahead
from finetune_flows.tasks.platforms.sagemaker.preflight.account import needed_quotas, principal_of
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.preflight.report import Report
from finetune_flows.tasks.recipe import SageMakerPlatform, load_recipe
from tests.support.sagemaker.emulator import BUCKET, NOTHING, ROLE, Emulator
from tests.tasks.platforms.sagemaker.platform_jobs import push_image

IMAGE = f"{DEFAULT_ACCOUNT_ID}.dkr.ecr.us-east-1.amazonaws.com/finetune-training:1"


@pytest.fixture(autouse=True)
def image(emulator: Emulator) -> None:
    """The one image that the account has."""
    push_image(emulator, "finetune-training", "1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))


def ahead(*overrides: str) -> Report:
    images = [f"platform.training_image={IMAGE}", f"platform.serving_image={IMAGE}"]
    path = Path("recipes/text-to-sql-codellama-7b.yaml")
    recipe = load_recipe(path, ["platform.kind=sagemaker", *images, *overrides])
    report = look_ahead(recipe, lambda: find_made(recipe))
    assert report is not None
    return report


def refused(*overrides: str) -> list[str]:
    with pytest.raises(RecipeError, match="nothing was uploaded") as caught:
        ahead(*overrides).refuse()
    return caught.value.problems


def found(report: Report, what: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.what == what]


def test_an_account_with_everything_is_taken(emulator: Emulator) -> None:
    report = ahead("platform.max_usd=100")
    report.refuse()
    whats = [finding.what for finding in report.findings]
    assert whats[:4] == ["credentials", "execution role", "PassRole", "bucket"]
    assert {"quota", "requests", "memory, training", "memory, serving", "budget"} <= set(whats)
    assert all(cost.price and cost.price.source.startswith("AWS Price List") for cost in report.estimate.costs)
    assert emulator.holds() == NOTHING
    assert emulator.account.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_everything_that_is_wrong_is_told_at_once_each_with_its_remedy(emulator: Emulator) -> None:
    emulator.account.quotas["ml.g4dn.xlarge for training job usage"] = 0
    emulator.account.quotas["ml.g5.2xlarge for endpoint usage"] = 0
    emulator.billing.denied.add("iam:PassRole")
    problems = refused(
        "platform.bucket=no-such-bucket",
        "platform.training_instances=[ml.g4dn.xlarge, ml.g5.3xlarge]",
        "platform.max_usd=1",
        "training.method=full",
    )
    told = "\n".join(problems)
    for words in (
        "bucket: there is no bucket no-such-bucket. Next: finetune setup aws",
        "PassRole: arn:aws:sts::",
        "quota: ml.g4dn.xlarge for training job usage: 0, needed 1. Next: ask for 1 at https://",
        "quota: ml.g5.2xlarge for endpoint usage: 0, needed 1",
        "memory, training: does not fit on ml.g4dn.xlarge (T4, 15 GiB)",
        "budget: max_usd: the price of ml.g5.3xlarge is unknown",
    ):
        assert words in told, f"{words}\n\n{told}"


def test_a_budget_that_is_too_small_is_refused(emulator: Emulator) -> None:
    assert "$1.00 does not pay for the run" in refused("platform.max_usd=1")[0]


def test_a_budget_lowers_the_runtime_in_the_request(emulator: Emulator) -> None:
    report = ahead("platform.max_usd=10")
    job = next(request.members for request in report.requests if request.operation == "CreateTrainingJob")
    seconds = job["StoppingCondition"]["MaxRuntimeInSeconds"]
    assert seconds == int(report.recipe.platform.max_runtime_hours * 3600) < 24 * 3600
    assert report.estimate.usd <= 10


def test_a_role_that_is_not_there_or_not_for_sagemaker_is_told(emulator: Emulator) -> None:
    assert "there is no role other. Next: finetune setup aws" in refused("platform.role=other")[0]
    emulator.account.iam.update_assume_role_policy(
        RoleName=ROLE,
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}',
    )
    assert "SageMaker may not assume" in refused()[0]


@pytest.mark.parametrize("ending", [":2", f"@sha256:{'0' * 64}"])
def test_an_image_of_ones_own_that_was_never_pushed_is_told(emulator: Emulator, ending: str) -> None:
    other = IMAGE.replace(":1", ending)
    (problem,) = refused(f"platform.training_image={other}")
    assert problem == f"training_image: {other} is not in ECR. Next: push it, or correct platform.training_image"


def test_an_image_by_its_digest_is_found(emulator: Emulator) -> None:
    repository = IMAGE.split("/", 1)[1].removesuffix(":1")
    (known,) = emulator.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    report = ahead(f"platform.training_image={IMAGE.replace(':1', '@' + known['imageDigest'])}")
    report.refuse()


def test_a_bucket_of_another_region_is_told(emulator: Emulator) -> None:
    emulator.account.s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert (
        "bucket: elsewhere in eu-west-1. Next: a job reads only from its own region"
        in refused("platform.bucket=elsewhere")[0]
    )


def test_what_cannot_be_asked_is_a_note_and_no_obstacle(emulator: Emulator) -> None:
    emulator.faults.throttle("ListServiceQuotas", times=20)
    report = ahead()
    report.refuse()
    assert found(report, "quotas")[0].found.startswith("could not be checked: Throttling")


def test_requests_that_aws_would_refuse_are_told_before_it_is_asked(emulator: Emulator) -> None:
    problems = refused("platform.training_instances=[ml.g5.3xlarge]", "platform.tags={'a<b': c}")
    assert sum("CreateTrainingJob" in problem for problem in problems) == 2


def test_without_credentials_the_plan_still_says_what_it_can(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    report = ahead()
    assert found(report, "credentials")[0].advice.startswith("run aws configure")
    assert report.requests[0].operation == "CreateTrainingJob"
    assert report.estimate.training.price is not None
    assert report.estimate.training.price.source.startswith("about")


@pytest.mark.parametrize(
    ("overrides", "needed"),
    [
        ({}, {"ml.g5.2xlarge for training job usage": 1, "ml.g5.2xlarge for endpoint usage": 1}),
        (
            {"spot": True, "instance_count": 2, "autoscaling": {"max_instances": 3}},
            {"ml.g5.2xlarge for spot training job usage": 2, "ml.g5.2xlarge for endpoint usage": 3},
        ),
        (
            {"keep_alive_minutes": 10},
            {
                "ml.g5.2xlarge for training job usage": 1,
                "ml.g5.2xlarge for training warm pool usage": 1,
                "ml.g5.2xlarge for endpoint usage": 1,
            },
        ),
    ],
)
def test_the_quotas_are_those_of_what_is_used(overrides: dict[str, Any], needed: dict[str, int]) -> None:
    section = SageMakerPlatform.model_validate(overrides)
    assert needed_quotas(section) == needed


@pytest.mark.parametrize(
    ("caller", "principal"),
    [
        ("arn:aws:iam::123456789012:user/anna", "arn:aws:iam::123456789012:user/anna"),
        ("arn:aws:sts::123456789012:assumed-role/Studio/anna", "arn:aws:iam::123456789012:role/Studio"),
    ],
)
def test_a_session_is_asked_about_as_the_role_that_it_is_of(caller: str, principal: str) -> None:
    assert principal_of(caller) == principal
