"""Rules that AWS enforces but its API model lacks, one function each; and a rule of ours: no secrets in job data."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from finetune_flows.tasks.aws.instances import has_own_disk

Request = Mapping[str, Any]

LONGEST_JOB = 28 * 24 * 3600
"""The service's limit for MaxRuntimeInSeconds and MaxWaitTimeInSeconds, in seconds."""

_LARGEST_ENVIRONMENT = 32 * 1024  # bytes, names and values of a model's environment together
_SECRET_NAME = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY|ACCESS_KEY_ID|CREDENTIALS?)$", re.IGNORECASE)


def broken_rules(operation: str, request: Request) -> Iterator[str]:
    """One line for each broken rule in a request that fits the API model."""
    for rule in _RULES.get(operation, ()):
        yield from rule(request)


def _spot_waits_long_enough(request: Request) -> Iterator[str]:
    condition = request["StoppingCondition"]
    wait, run = condition.get("MaxWaitTimeInSeconds"), condition.get("MaxRuntimeInSeconds", 24 * 3600)
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            yield "StoppingCondition.MaxWaitTimeInSeconds: only spot training may have it"
        return
    if wait is None or wait < run:
        yield f"StoppingCondition.MaxWaitTimeInSeconds: spot training needs it, and at least MaxRuntimeInSeconds ({run})"
    if "CheckpointConfig" not in request:
        yield "CheckpointConfig: missing; without it, spot training starts from the beginning after each interruption"
    if request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        yield "ResourceConfig.KeepAlivePeriodInSeconds: a spot instance cannot be kept warm"


def _ends_in_28_days(request: Request) -> Iterator[str]:
    for name in ("MaxRuntimeInSeconds", "MaxWaitTimeInSeconds"):
        seconds = request["StoppingCondition"].get(name, 0)
        if seconds > LONGEST_JOB:
            yield f"StoppingCondition.{name}: {seconds} is above {LONGEST_JOB} (28 days)"


def _key_suits_the_disk(request: Request) -> Iterator[str]:
    resources = request["ResourceConfig"]
    if resources.get("VolumeKmsKeyId") and has_own_disk(resources.get("InstanceType", "")):
        yield (
            f"ResourceConfig.VolumeKmsKeyId: {resources['InstanceType']} has a local disk that its hardware encrypts; "
            "AWS refuses a key for it"
        )


def _channels_are_folders(request: Request) -> Iterator[str]:
    for channel in request.get("InputDataConfig", ()):
        source = channel["DataSource"].get("S3DataSource", {})
        prefix = source.get("S3DataType") == "S3Prefix"
        if channel.get("InputMode") == "FastFile" and prefix and not source["S3Uri"].endswith("/"):
            yield f'InputDataConfig {channel["ChannelName"]}: a FastFile prefix must end in "/"'


def _job_holds_no_secret(request: Request) -> Iterator[str]:
    yield from _secrets("Environment", request.get("Environment", {}))
    yield from _secrets("HyperParameters", request.get("HyperParameters", {}))


def _containers(request: Request) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "PrimaryContainer" in request:
        yield "PrimaryContainer", request["PrimaryContainer"]
    for index, container in enumerate(request.get("Containers", ())):
        yield f"Containers[{index}]", container


def _model_is_well_placed(request: Request) -> Iterator[str]:
    for path, container in _containers(request):
        environment = container.get("Environment", {})
        yield from _secrets(f"{path}.Environment", environment)
        size = sum(len(name.encode()) + len(value.encode()) for name, value in environment.items())
        if size > _LARGEST_ENVIRONMENT:
            yield f"{path}.Environment: {size} bytes, at most {_LARGEST_ENVIRONMENT} are permitted"
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        if source.get("S3DataType") == "S3Prefix" and not source["S3Uri"].endswith("/"):
            yield f'{path}.ModelDataSource.S3DataSource.S3Uri: a prefix must end in "/"'
        hub = [name for name in ("HF_MODEL_ID", "SM_VLLM_MODEL") if not environment.get(name, "/").startswith("/")]
        if request.get("EnableNetworkIsolation") and hub:
            yield f"{path}.Environment[{hub[0]}]: with EnableNetworkIsolation nothing can be downloaded from the hub"


def _secrets(path: str, values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        if _SECRET_NAME.search(name) and not value.startswith("arn:"):
            yield f"{path}[{name}]: looks like a secret, and everyone who may describe the resource can read it. Next: give a Secrets Manager ARN"


_RULES = {
    "CreateTrainingJob": (
        _spot_waits_long_enough,
        _ends_in_28_days,
        _key_suits_the_disk,
        _channels_are_folders,
        _job_holds_no_secret,
    ),
    "CreateModel": (_model_is_well_placed,),
}
