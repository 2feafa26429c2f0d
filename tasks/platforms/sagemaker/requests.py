"""The requests that SageMaker gets for a training job, as plain dictionaries. Nothing here asks AWS anything.

Names of members are AWS's; see the API reference of CreateTrainingJob.
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
    """CreateTrainingJob. `channels`: the s3:// prefix of each, that of long hyperparameters included."""
    section = clients.section
    request: Request = {
        "TrainingJobName": job.name,
        "AlgorithmSpecification": _algorithm(section, image),
        "RoleArn": clients.role_arn,
        "HyperParameters": split_hyperparameters(job.hyperparameters)[0],
        "InputDataConfig": [_channel(name, uri) for name, uri in sorted(channels.items())],
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
    """Those that SageMaker carries, and those that it refuses: too long, or of several lines. They go into a channel."""
    refused = {name: value for name, value in values.items() if len(value) > LONGEST_VALUE or "\n" in value}
    return {name: value for name, value in values.items() if name not in refused}, refused


def checkpoint_uri(clients: Clients, name: str) -> str:
    """One prefix for each logical job: its attempts share it, so that they resume."""
    return f"{clients.home}/checkpoints/{name}/"


def tags(clients: Clients, labels: Labels) -> list[dict[str, str]]:
    """The recipe's own tags, and those by which what we made is found again."""
    ours = {f"finetune:{name}": str(value) for name, value in labels.model_dump(mode="json").items()}
    everything = clients.section.tags | ours | {"finetune:home": clients.home}
    return [{"Key": name, "Value": value} for name, value in sorted(everything.items())]


def vpc(section: SageMakerPlatform) -> dict[str, list[str]]:
    """VpcConfig of jobs and models."""
    return {"Subnets": section.subnets, "SecurityGroupIds": section.security_groups}


def _algorithm(section: SageMakerPlatform, image: str) -> Request:
    """Our own image answers to `train` by itself; AWS's is told to run our program, in exec form so that it gets SIGTERM."""
    algorithm: Request = {
        "TrainingImage": image,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
    }
    if section.training_image is None:
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
    if section.kms_key and not has_own_disk(instance):
        resources["VolumeKmsKeyId"] = section.kms_key
    if section.keep_alive_minutes:
        resources["KeepAlivePeriodInSeconds"] = section.keep_alive_minutes * 60
    return resources


def _stopping(section: SageMakerPlatform, max_runtime_seconds: float) -> dict[str, int]:
    stopping = {"MaxRuntimeInSeconds": int(max_runtime_seconds)}
    if section.spot:
        stopping["MaxWaitTimeInSeconds"] = int(max_runtime_seconds + section.max_wait_hours * 3600)
    return stopping
