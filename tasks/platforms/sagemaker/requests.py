"""Builds the requests for a training job as plain dictionaries. Nothing here calls AWS.

The names of members are AWS's; see the API reference of CreateTrainingJob.
"""

from collections.abc import Mapping
from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.instances import has_own_disk
from finetune_flows.tasks.platforms.contract import Labels, TrainingJob
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

Request = dict[str, Any]
LONGEST_VALUE = 2500  # characters of a hyperparameter
CODE = "/opt/ml/input/data/code"
METRICS = {
    "train:loss": r"^step=\d+ .*\bloss=(\S+)",
    "train:tokens_per_second": r"^step=\d+ .*\btokens_per_second=(\S+)",
    "train:learning_rate": r"^step=\d+ .*\blearning_rate=(\S+)",
    "train:gpu_memory_mib": r"^step=\d+ .*\bgpu_memory_mib=(\S+)",
    "validation:accuracy": r"\bvalidation_accuracy=(\S+)",
    "validation:loss": r"\bvalidation_loss=(\S+)",
}


def training_job(clients: Clients, job: TrainingJob, channels: Mapping[str, str], image: str, instance: str) -> Request:
    """The CreateTrainingJob request. `channels` has each channel's s3:// prefix, that of long hyperparameters included."""
    section = clients.section
    request: Request = {
        "TrainingJobName": job.name,
        "AlgorithmSpecification": _algorithm(section, image),
        "RoleArn": clients.role_arn,
        "HyperParameters": split_hyperparameters(job.hyperparameters)[0],
        "InputDataConfig": [_channel(name, uri) for name, uri in sorted(channels.items())],
        # Uncompressed, so that an endpoint reads the weights where the job left them.
        "OutputDataConfig": {"S3OutputPath": f"{clients.home}/jobs", "CompressionType": "NONE"},
        "CheckpointConfig": {"S3Uri": checkpoint_uri(clients, job.checkpoints)},
        "ResourceConfig": _resources(section, instance),
        "StoppingCondition": _stopping(section, job.max_runtime_seconds),
        "EnableManagedSpotTraining": section.spot,
        "EnableNetworkIsolation": section.network_isolation,
        "Tags": tags(clients, job.labels),
    }
    if section.kms_key:
        request["OutputDataConfig"]["KmsKeyId"] = section.kms_key
    if section.subnets:
        request["VpcConfig"] = vpc(section)
    return request


def split_hyperparameters(values: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Hyperparameters that SageMaker accepts, and those that it refuses (too long, several lines), for a channel."""
    refused = {name: value for name, value in values.items() if len(value) > LONGEST_VALUE or "\n" in value}
    return {name: value for name, value in values.items() if name not in refused}, refused


def checkpoint_uri(clients: Clients, name: str) -> str:
    """The prefix of a job's checkpoints. All attempts at the job share it, so that they resume."""
    return f"{clients.home}/checkpoints/{name}/"


def tags(clients: Clients, labels: Labels) -> list[dict[str, str]]:
    """The recipe's own tags, and the tags by which we find again what we made."""
    ours = {f"finetune:{name}": str(value) for name, value in labels.model_dump(mode="json").items()}
    everything = clients.section.tags | ours | {"finetune:home": clients.home}
    return [{"Key": name, "Value": value} for name, value in sorted(everything.items())]


def vpc(section: SageMakerPlatform) -> dict[str, list[str]]:
    """The VpcConfig of jobs and models."""
    return {"Subnets": section.subnets, "SecurityGroupIds": section.security_groups}


def _algorithm(section: SageMakerPlatform, image: str) -> Request:
    """The image and the metrics to read from its log. AWS's own image also needs an entrypoint that runs our program."""
    algorithm: Request = {
        "TrainingImage": image,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
    }
    if section.training_image is None:
        # In exec form: AWS's default entrypoint is a shell that does not pass SIGTERM on, so no checkpoint would be saved.
        algorithm |= {"ContainerEntrypoint": ["python3", f"{CODE}/entry.py"], "ContainerArguments": ["train"]}
    return algorithm


def _channel(name: str, uri: str) -> Request:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}


def _resources(section: SageMakerPlatform, instance: str) -> Request:
    resources: Request = {
        "InstanceType": instance,
        "InstanceCount": section.instance_count,
        "VolumeSizeInGB": section.volume_gb,
    }
    # SageMaker refuses a volume key for instance types with a disk of their own.
    if section.kms_key and not has_own_disk(instance):
        resources["VolumeKmsKeyId"] = section.kms_key
    if section.keep_alive_minutes:
        resources["KeepAlivePeriodInSeconds"] = section.keep_alive_minutes * 60
    return resources


def _stopping(section: SageMakerPlatform, max_runtime_seconds: float) -> dict[str, int]:
    stopping = {"MaxRuntimeInSeconds": int(max_runtime_seconds)}
    if section.spot:  # AWS requires that the wait is at least the runtime
        stopping["MaxWaitTimeInSeconds"] = int(max_runtime_seconds + section.max_wait_hours * 3600)
    return stopping
