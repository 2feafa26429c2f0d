"""The requests, word for word, against golden files that a person has read: `UPDATE_GOLDEN=1 pytest ...` writes them anew."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.aws.clients import PLACEHOLDER_ACCOUNT, Clients
from finetune_flows.tasks.aws.errors import aws_errors, is_missing, translated
from finetune_flows.tasks.aws.instances import has_own_disk
from finetune_flows.tasks.aws.validation import problems_of
from finetune_flows.tasks.base.errors import EnvironmentProblem, FinetuneError, RecipeError, TryLater
from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels, TrainingJob
from finetune_flows.tasks.platforms.sagemaker import requests, scaling, serving_requests
from finetune_flows.tasks.platforms.sagemaker.images import inference_ami, training_image
from finetune_flows.tasks.recipe import SageMakerPlatform
from finetune_flows.tasks.sections.sagemaker import Autoscaling

GOLDEN = Path(__file__).parent / "golden"
LABELS = Labels(recipe="r", step_key="k" * 64, flow_run="f", expires_at=datetime(2026, 11, 30, tzinfo=UTC))
EVERYTHING = {
    "region": "eu-west-1",
    "role": "arn:aws:iam::123456789012:role/r",
    "bucket": "a-bucket",
    "spot": True,
    "instance_count": 2,
    "kms_key": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "subnets": ["subnet-1"],
    "security_groups": ["sg-1"],
    "network_isolation": True,
    "training_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/finetune-training:1",
    "training_instances": ["ml.p3.2xlarge"],
    "serving_instance": "ml.m5.xlarge",
    "autoscaling": {"min_instances": 0, "max_instances": 3},
    "asynchronous": True,
    "tags": {"team": "search"},
}
SERVING = {"SERVING_MAX_MODEL_LENGTH": "2048", "SERVING_MAX_BATCH_SIZE": "32", "SERVING_DTYPE": "bfloat16"}


def clients(**fields: object) -> Clients:
    section = SageMakerPlatform.model_validate({"region": "eu-west-1"} | fields)
    return Clients(section, PLACEHOLDER_ACCOUNT)


def job() -> TrainingJob:
    return TrainingJob(
        name="r-kkkkkkkkkkkk-1",
        hyperparameters={"epochs": "3", "long": "x" * 2501, "lines": "a\nb"},
        channels={},
        checkpoints="r-kkkkkkkkkkkk",
        max_runtime_seconds=3600,
        labels=LABELS,
    )


def spec() -> EndpointSpec:
    return EndpointSpec(
        name="r-d1", model=Path("m"), model_digest="d1", environment=SERVING, startup_seconds=900, labels=LABELS
    )


def check_golden(name: str, request: dict[str, Any]) -> None:
    file = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")
    assert request == json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "fields"), [("plain", {}), ("everything", EVERYTHING)])
def test_the_request_for_a_training_job(name: str, fields: dict[str, Any]) -> None:
    made = clients(**fields)
    instance = made.section.training_instances[0]
    channels = {"model": "s3://b/base-model/1/", "dataset": "s3://b/dataset/2/"}
    request = requests.training_job(made, job(), channels, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/i:1", instance)
    assert problems_of("CreateTrainingJob", request) == []
    check_golden(f"training_job_{name}", request)


@pytest.mark.parametrize(("name", "fields"), [("plain", {}), ("everything", EVERYTHING)])
def test_the_requests_for_an_endpoint(name: str, fields: dict[str, Any]) -> None:
    image = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/vllm:0.30.0-gpu-py312-cu130-ubuntu24.04-sagemaker"
    plan = serving_requests.plan(clients(**fields), spec(), "s3://b/models/1/", image)
    made = {"CreateModel": plan.model, "CreateEndpointConfig": plan.config, "CreateEndpoint": plan.endpoint}
    assert [problem for name, request in made.items() for problem in problems_of(name, request)] == []
    check_golden(f"endpoint_{name}", made)


def test_an_update_keeps_the_old_ones_until_the_new_ones_are_healthy() -> None:
    request = serving_requests.update("r-d1", "r-d1-12345678", ["r-d1-errors"])
    assert problems_of("UpdateEndpoint", request) == []
    assert request["DeploymentConfig"]["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "r-d1-errors"}]}


def test_any_change_is_another_configuration_and_labels_are_none() -> None:
    def name(spec: EndpointSpec, **fields: object) -> str:
        return serving_requests.plan(clients(**fields), spec, "s3://b/m/", "image").name

    later = LABELS.model_copy(update={"expires_at": datetime(2027, 1, 1, tzinfo=UTC), "flow_run": "another"})
    assert name(spec()) == name(spec().model_copy(update={"labels": later}))
    assert name(spec()) != name(spec(), serving_instance="ml.g5.4xlarge")
    assert name(spec()) != name(spec().model_copy(update={"environment": SERVING | {"SERVING_MAX_BATCH_SIZE": "8"}}))


@pytest.mark.parametrize("engine", ["vllm", "tgi", "djl-lmi", "finetune-flows"])
def test_every_engine_is_told_the_longest_answer_in_its_own_words(engine: str) -> None:
    told = serving_requests.environment(engine, SERVING)
    assert "2048" in told.values()
    assert "32" in told.values()


def test_long_settings_go_into_a_channel() -> None:
    short, long = requests.split_hyperparameters(job().hyperparameters)
    assert short == {"epochs": "3"}
    assert set(long) == {"long", "lines"}


@pytest.mark.parametrize(
    ("instance", "own"),
    [
        ("ml.g5.2xlarge", True),
        ("ml.g4dn.xlarge", True),
        ("ml.p4d.24xlarge", True),
        ("ml.p5.48xlarge", True),
        ("ml.m5d.large", True),
        ("ml.m5.large", False),
        ("ml.p3.2xlarge", False),
        ("ml.c6i.xlarge", False),
    ],
)
def test_types_with_a_disk_of_their_own_get_no_volume_key(instance: str, own: bool) -> None:
    assert has_own_disk(instance) is own


def test_a_cuda_13_image_gets_a_host_with_its_driver() -> None:
    section = SageMakerPlatform()
    assert inference_ami(section, "x/vllm:0.30.0-gpu-py312-cu130-ubuntu24.04-sagemaker") is not None
    assert inference_ami(section, "x/tgi:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04") is None
    assert inference_ami(SageMakerPlatform(inference_ami="al2-ami-sagemaker-inference-gpu-2"), "x") is not None


def test_scaling_follows_waiting_requests_of_an_asynchronous_endpoint() -> None:
    policy = scaling.tracking("e", Autoscaling(requests_per_instance=5), asynchronous=True)
    assert policy["TargetValue"] == 5
    assert policy["CustomizedMetricSpecification"]["MetricName"] == "ApproximateBacklogSizePerInstance"


def client_error(code: str, message: str, status: int = 400) -> Any:
    from botocore.exceptions import ClientError

    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "CreateTrainingJob")


@pytest.mark.parametrize(
    ("code", "status", "expected", "words"),
    [
        ("ThrottlingException", 400, TryLater, "Throttling"),
        ("InternalFailure", 500, TryLater, "InternalFailure"),
        ("SomethingNew", 503, TryLater, "SomethingNew"),
        ("ResourceLimitExceeded", 400, EnvironmentProblem, "servicequotas"),
        ("AccessDeniedException", 400, EnvironmentProblem, "not permitted"),
        ("ExpiredTokenException", 400, EnvironmentProblem, "renew"),
        ("ValidationException", 400, EnvironmentProblem, "ValidationException"),
    ],
)
def test_errors_of_aws_by_what_the_reader_does_next(
    code: str, status: int, expected: type[FinetuneError], words: str
) -> None:
    error = translated(client_error(code, "of this account", status), "starting job j")
    assert type(error) is expected
    assert words in str(error)
    assert "of this account" in str(error)


def test_sagemaker_says_that_something_is_missing_by_a_sentence() -> None:
    assert is_missing(client_error("ValidationException", 'Could not find endpoint "x".'))
    assert is_missing(client_error("ValidationException", "Requested resource not found."))
    assert not is_missing(client_error("ValidationException", "1 validation error detected"))


def test_a_machine_without_credentials_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(EnvironmentProblem, match="region"):
        _ = Clients(SageMakerPlatform()).region
    with pytest.raises(EnvironmentProblem, match="get-caller-identity"), aws_errors("asking"):
        _ = Clients(SageMakerPlatform(region="eu-west-1")).account


def test_a_spot_job_may_wait_beside_its_running_time_and_has_the_disk_of_the_recipe() -> None:
    def asked(**fields: object) -> dict[str, Any]:
        return requests.training_job(clients(**fields), job(), {}, "image", "ml.g5.2xlarge")

    assert asked(spot=True, max_wait_hours=2)["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 3600,
        "MaxWaitTimeInSeconds": 3 * 3600,
    }
    assert "MaxWaitTimeInSeconds" not in asked(max_wait_hours=2)["StoppingCondition"], "on demand nothing is waited for"
    assert asked(volume_gb=500)["ResourceConfig"]["VolumeSizeInGB"] == 500


def test_the_training_container_is_of_the_version_of_the_recipe() -> None:
    assert ":2.12" in training_image(clients(training_version="2.12"), "ml.g5.2xlarge")
    own = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
    assert training_image(clients(training_version="2.12", training_image=own), "ml.g5.2xlarge") == own
    with pytest.raises(RecipeError, match=r"platform\.training_version 0\.1: AWS has no pytorch"):
        training_image(clients(training_version="0.1"), "ml.g5.2xlarge")


def test_credentials_and_region_are_those_of_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text("[profile team]\nregion = eu-north-1\naws_access_key_id = id\naws_secret_access_key = key\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    made = Clients(SageMakerPlatform(profile="team"), PLACEHOLDER_ACCOUNT)
    assert made.region == "eu-north-1"
    assert made.session.get_credentials().access_key == "id"
    with pytest.raises(EnvironmentProblem, match="aws configure --profile nobody"):
        _ = Clients(SageMakerPlatform(profile="nobody", region="eu-north-1"), PLACEHOLDER_ACCOUNT).session
