"""Requests that AWS would refuse never leave; checked with botocore's own model, no network."""

import copy
from typing import Any

import boto3
import pytest
import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape

from finetune_flows.tasks.aws import validation
from finetune_flows.tasks.aws.validation import check_requests_of, problems_of
from finetune_flows.tasks.base.errors import RecipeError

JOB: dict[str, Any] = {
    "TrainingJobName": "demo-0123456789ab-1",
    "HyperParameters": {"epochs": "3"},
    "AlgorithmSpecification": {
        "TrainingImage": "763104351884.dkr.ecr.us-east-1.amazonaws.com/x:1",
        "TrainingInputMode": "File",
    },
    "RoleArn": "arn:aws:iam::123456789012:role/finetune",
    "InputDataConfig": [
        {
            "ChannelName": "dataset",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": "s3://bucket/data/",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/jobs/", "CompressionType": "NONE"},
    "ResourceConfig": {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 100},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "Tags": [{"Key": "finetune:recipe", "Value": "démo 1"}],
}
MODEL: dict[str, Any] = {
    "ModelName": "demo-1",
    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/finetune",
    "PrimaryContainer": {
        "Image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/x:1",
        "ModelDataSource": {
            "S3DataSource": {"S3Uri": "s3://bucket/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        },
        "Environment": {"SM_VLLM_MAX_MODEL_LEN": "4096"},
    },
}


def changed(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the member at a dotted path replaced."""
    request = copy.deepcopy(request)
    *above, last = path.split(".")
    below: Any = request
    for name in above:
        below = below[int(name)] if name.isdigit() else below.setdefault(name, {})
    below[last] = value
    return request


def test_good_requests_have_no_problems() -> None:
    assert problems_of("CreateTrainingJob", JOB) == []
    assert problems_of("CreateModel", MODEL) == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("TrainingJobName", "a" * 64, "TrainingJobName: 64 characters, at most 63"),
        ("TrainingJobName", "demo_1", "'demo_1' does not match"),
        ("TrainingJobName", "demo-", "'demo-' does not match"),
        ("TrainingJobName", "demo\n", "line break"),
        ("HyperParameters.prompt", "x" * 2501, "HyperParameters[prompt]: 2501 characters, at most 2500"),
        ("HyperParameters.prompt", "two\nlines", "its value does not match .* (it has a line break)"),
        ("HyperParameters", {f"h{n}": "1" for n in range(101)}, "101 entries, at most 100"),
        ("Environment", {"BAD-KEY": "1"}, "key 'BAD-KEY'"),
        ("Environment", {"LONG": "x" * 513}, "Environment[LONG]: 513 characters, at most 512"),
        ("Environment", {"HF_TOKEN": "hf_abc"}, "Environment[HF_TOKEN]: looks like a secret"),
        ("HyperParameters", {"api_key": "abc"}, "HyperParameters[api_key]: looks like a secret"),
        ("RoleArn", "arn:aws:iam::123:role/x", "RoleArn: 'arn:aws:iam::123:role/x' does not match"),
        ("ResourceConfig.InstanceType", "ml.g5.3xlarge", "not one of the"),
        ("ResourceConfig.InstanceType", "g5.2xlarge", "not one of the"),
        ("ResourceConfig.VolumeKmsKeyId", "alias/mine", "has a local disk"),
        ("ResourceConfig.KeepAlivePeriodInSeconds", 21601, "21601 is above"),
        ("OutputDataConfig.S3OutputPath", "bucket/jobs", "does not match"),
        ("OutputDataConfig.CompressionType", "None", "'None' is not one of GZIP, NONE"),
        ("Tags", [{"Key": f"k{n}", "Value": ""} for n in range(51)], "51 entries, at most 50"),
        ("Tags", [{"Key": "a<b", "Value": ""}], "Tags[0].Key: 'a<b' does not match"),
        ("StoppingCondition.MaxRuntimeInSeconds", 28 * 86400 + 1, "28 days"),
        ("StoppingCondition.MaxWaitTimeInSeconds", 7200, "only spot training may have it"),
        ("EnableManagedSpotTraining", True, "at least MaxRuntimeInSeconds (3600)"),
        ("EnableManagedSpotTraining", True, "CheckpointConfig: missing; without it, spot training"),
        ("InputDataConfig.0.ChannelName", "my channel", "does not match"),
        ("InputDataConfig.0.DataSource.S3DataSource.S3DataType", "Prefix", "is not one of"),
        ("VpcConfig", {"Subnets": ["subnet-1"], "SecurityGroupIds": [f"sg-{n}" for n in range(6)]}, "at most 5"),
        ("ResourceConfig.InstanceCount", "1", "Invalid type for parameter ResourceConfig.InstanceCount"),
        ("NoSuchMember", 1, "NoSuchMember"),
    ],
)
def test_what_aws_refuses_in_a_job_is_told(path: str, value: Any, words: str) -> None:
    problems = problems_of("CreateTrainingJob", changed(JOB, path, value))
    assert any(words in problem for problem in problems), problems


def test_fast_file_prefixes_end_in_a_slash() -> None:
    request = changed(JOB, "InputDataConfig.0.InputMode", "FastFile")
    assert problems_of("CreateTrainingJob", request) == []
    request = changed(request, "InputDataConfig.0.DataSource.S3DataSource.S3Uri", "s3://bucket/data")
    assert problems_of("CreateTrainingJob", request) == ['InputDataConfig dataset: a FastFile prefix must end in "/"']


def test_spot_training_with_all_it_needs_is_fine() -> None:
    request = changed(JOB, "EnableManagedSpotTraining", True)
    request = changed(request, "StoppingCondition.MaxWaitTimeInSeconds", 3600)
    request = changed(request, "CheckpointConfig", {"S3Uri": "s3://bucket/checkpoints/"})
    assert problems_of("CreateTrainingJob", request) == []
    request = changed(request, "ResourceConfig.KeepAlivePeriodInSeconds", 60)
    assert "cannot be kept warm" in problems_of("CreateTrainingJob", request)[0]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("PrimaryContainer.ModelDataSource.S3DataSource.S3Uri", "s3://bucket/m", 'must end in "/"'),
        ("PrimaryContainer.ModelDataSource.S3DataSource.CompressionType", "NONE", "'NONE' is not one of None, Gzip"),
        ("PrimaryContainer.Environment", {"HF_TOKEN": "hf_1"}, "looks like a secret"),
        ("PrimaryContainer.Environment", {f"K{n}": "x" * 1024 for n in range(40)}, "at most 32768"),
    ],
)
def test_what_aws_refuses_in_a_model_is_told(path: str, value: Any, words: str) -> None:
    problems = problems_of("CreateModel", changed(MODEL, path, value))
    assert any(words in problem for problem in problems), problems


def test_an_isolated_model_comes_from_no_hub() -> None:
    request = changed(MODEL, "EnableNetworkIsolation", True)
    assert problems_of("CreateModel", request) == []
    request = changed(request, "PrimaryContainer.Environment", {"HF_MODEL_ID": "codellama/CodeLlama-7b-hf"})
    assert "nothing can be downloaded" in problems_of("CreateModel", request)[0]


def test_a_reference_to_a_secret_is_no_secret() -> None:
    reference = {"HF_TOKEN_SECRET": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hf"}
    assert problems_of("CreateTrainingJob", changed(JOB, "Environment", reference)) == []


def test_the_values_of_environment_and_hyperparameters_are_never_shown() -> None:
    request = changed(changed(JOB, "Environment", {"A": "hidden" * 100}), "HyperParameters", {"b": "hidden\n"})
    problems = problems_of("CreateTrainingJob", request)
    assert len(problems) == 2
    assert not any("hidden" in problem for problem in problems)


def test_a_client_that_is_checked_sends_no_bad_request_and_tells_all_problems() -> None:
    client = boto3.client(
        "sagemaker",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",  # nothing listens there: what is sent fails otherwise
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    check_requests_of(client)
    bad = changed(changed(JOB, "TrainingJobName", "a_b"), "ResourceConfig.InstanceType", "ml.huge")
    with pytest.raises(RecipeError, match="AWS would refuse this CreateTrainingJob request") as caught:
        client.create_training_job(**bad)
    assert len(caught.value.problems) == 2


def patterns(shape: Shape, seen: set[str]) -> set[str]:
    """All patterns below a shape."""
    if shape.name in seen:
        return set()
    seen = seen | {shape.name}
    found = {shape.metadata["pattern"]} if "pattern" in shape.metadata else set()
    below: list[Shape] = []
    if isinstance(shape, StructureShape):
        below = list(shape.members.values())
    elif isinstance(shape, ListShape):
        below = [shape.member]
    elif isinstance(shape, MapShape):
        below = [shape.key, shape.value]
    return found.union(*(patterns(member, seen) for member in below))


@pytest.mark.parametrize(
    "operation",
    [
        "CreateTrainingJob",
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "UpdateEndpoint",
        "CreateModelPackageGroup",
        "CreateModelPackage",
        "UpdateModelPackage",
        "AddTags",
    ],
)
def test_every_pattern_of_the_operations_we_call_can_be_read(operation: str) -> None:
    shape = validation._service().operation_model(operation).input_shape
    found = patterns(shape, set())
    assert found
    for pattern in found:
        regex.compile(pattern)
