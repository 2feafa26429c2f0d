"""The section of a recipe that runs its jobs and endpoints on Amazon SageMaker."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from finetune_flows.tasks.sections.section import Section, rule

InstanceType = Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
ServingEngine = Literal["vllm", "tgi", "djl-lmi", "finetune-flows"]


class Autoscaling(Section):
    """How many instances serve, by how much they are asked."""

    model_config = ConfigDict(title="Autoscaling")

    min_instances: int = Field(1, ge=0, le=100, description="Never fewer. 0 only with platform.asynchronous.")
    max_instances: int = Field(2, ge=1, le=100, description="Never more.")
    requests_per_instance: float = Field(
        60, gt=0, description="Wanted load: requests a minute for each instance, or waiting requests when asynchronous."
    )

    @rule
    def _leaves_room(self) -> Iterator[str]:
        if self.min_instances > self.max_instances:
            yield "min_instances is above max_instances"


class SageMakerPlatform(Section):
    """Jobs and endpoints run on Amazon SageMaker, in your account."""

    model_config = ConfigDict(title="SageMaker")

    kind: Literal["sagemaker"] = Field("sagemaker", description="Jobs and endpoints run on Amazon SageMaker.")
    region: str | None = Field(
        None, description="AWS region; default: the one that AWS_REGION, AWS_DEFAULT_REGION or the profile names."
    )
    profile: str | None = Field(
        None, description="Profile in ~/.aws that holds the credentials; default: as the AWS CLI finds them."
    )
    role: str = Field(
        "finetune-flows",
        description="Execution role of jobs and endpoints, an ARN or a name. `finetune setup aws` makes the default one.",
    )
    bucket: str | None = Field(
        None,
        description="S3 bucket in the same region; default: finetune-flows-<account>-<region>, which `finetune setup aws` makes.",
    )
    prefix: str = Field(
        "finetune",
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*(/[a-zA-Z0-9][a-zA-Z0-9_.-]*)*$",
        description="Beginning of all keys in the bucket. It also says whose an endpoint is: sweep looks at its own prefix.",
    )
    training_instances: list[InstanceType] = Field(
        ["ml.g5.2xlarge"],
        min_length=1,
        description="Instance types for training, the preferred one first; the next one is taken when there is no capacity.",
    )
    instance_count: int = Field(1, ge=1, le=64, description="Instances that train one model together.")
    volume_gb: int = Field(
        200, ge=1, le=16384, description="Disk for the job; types with a disk of their own ignore it."
    )
    spot: bool = Field(False, description="Train on spot capacity: cheaper, may be interrupted, resumes by itself.")
    max_wait_hours: float = Field(
        24, ge=0, le=24 * 28, description="Longest time that a spot job may wait, besides its running time."
    )
    max_runtime_hours: float = Field(24, gt=0, le=24 * 28, description="A training job is stopped after so many hours.")
    keep_alive_minutes: int = Field(
        0, ge=0, le=360, description="Keep the instance for a next job of the same kind (warm pool). It is billed."
    )
    kms_key: str | None = Field(
        None, description="KMS key (id, ARN or alias) for S3 objects, and for the disks of types that permit it."
    )
    subnets: list[str] = Field([], max_length=16, description="Run in these subnets of your VPC.")
    security_groups: list[str] = Field([], max_length=5, description="With these security groups.")
    network_isolation: bool = Field(
        False, description="No network at all inside jobs and endpoints. The training image must hold every package."
    )
    training_image: str | None = Field(
        None,
        description="Training image in ECR, such as the one of containers/training; default: AWS's PyTorch container.",
    )
    training_version: str = Field(
        "2.13",
        description="Version of AWS's PyTorch container, when training_image is empty. What it lacks is installed.",
    )
    serving_instance: InstanceType = Field("ml.g5.2xlarge", description="Instance type of endpoints.")
    serving_engine: ServingEngine = Field(
        "vllm", description="What serves: AWS's containers of vLLM, TGI or DJL-LMI, or our own server (serving_image)."
    )
    serving_image: str | None = Field(
        None, description="Serving image in ECR; default: AWS's own for the engine. Our own server needs it."
    )
    serving_version: str | None = Field(
        None, description="Version of AWS's serving container; default: one that stays the same until you upgrade."
    )
    inference_ami: str | None = Field(
        None,
        description="InferenceAmiVersion of the endpoint's host; default: the one that a CUDA 13 image needs, else AWS's.",
    )
    autoscaling: Autoscaling | None = Field(None, description="Default: one instance, always.")
    asynchronous: bool = Field(
        False, description="Asynchronous endpoint: requests wait in S3, and it can scale to zero instances."
    )
    model_registry: bool = Field(
        True, description="Also enter each candidate into SageMaker's Model Registry, with its scores and the decision."
    )
    max_usd: float | None = Field(
        None,
        gt=0,
        description="What one run may cost at most: its job gets the runtime that is left, or the run is refused before anything is uploaded.",
    )
    tags: dict[str, str] = Field({}, max_length=40, description="Tags of your own on everything that is created.")

    @rule
    def _is_in_a_network_or_in_none(self) -> Iterator[str]:
        if bool(self.subnets) != bool(self.security_groups):
            yield "subnets and security_groups belong together"

    @rule
    def _keeps_only_what_it_owns(self) -> Iterator[str]:
        if self.spot and self.keep_alive_minutes:
            yield "keep_alive_minutes: a warm pool cannot be of spot capacity"

    @rule
    def _has_an_image_of_its_engine(self) -> Iterator[str]:
        if self.serving_engine == "finetune-flows" and self.serving_image is None:
            yield "serving_engine finetune-flows needs serving_image: AWS has no image of our server"

    @rule
    def _sleeps_only_where_requests_wait(self) -> Iterator[str]:
        if self.autoscaling and self.autoscaling.min_instances == 0 and not self.asynchronous:
            yield "autoscaling.min_instances 0 needs asynchronous: a real-time endpoint has one at least"
