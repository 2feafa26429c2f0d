"""The platform section for Amazon SageMaker. Limits on counts, sizes and times are those of AWS's API model."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from finetune_flows.tasks.sections.section import Section, rule

InstanceType = Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
ServingEngine = Literal["vllm", "tgi", "djl-lmi", "finetune-flows"]


class Autoscaling(Section):
    """How many instances serve, depending on the load."""

    model_config = ConfigDict(title="Autoscaling")

    min_instances: int = Field(
        1, ge=0, le=100, description="Minimum number of instances. 0 requires platform.asynchronous."
    )
    max_instances: int = Field(2, ge=1, le=100, description="Maximum number of instances.")
    requests_per_instance: float = Field(
        60,
        gt=0,
        description="Target load of each instance: requests per minute, or waiting requests if platform.asynchronous.",
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
        None, description="AWS region. Empty: the region of AWS_REGION, AWS_DEFAULT_REGION or the profile."
    )
    profile: str | None = Field(
        None, description="Profile in ~/.aws with the credentials. Empty: search for credentials as the AWS CLI does."
    )
    role: str = Field(
        "finetune-flows",
        description="Execution role of jobs and endpoints, as ARN or name. `finetune setup aws` creates the default role.",
    )
    bucket: str | None = Field(
        None,
        description="S3 bucket in the same region. Empty: finetune-flows-ACCOUNT-REGION, which `finetune setup aws` creates.",
    )
    prefix: str = Field(
        "finetune",
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*(/[a-zA-Z0-9][a-zA-Z0-9_.-]*)*$",
        description="Prefix of all keys in the bucket. It also marks ownership: sweep touches only endpoints with this prefix.",
    )
    training_instances: list[InstanceType] = Field(
        ["ml.g5.2xlarge"],
        min_length=1,
        description="Instance types for training, in order of preference. The next one is used when AWS has no capacity.",
    )
    instance_count: int = Field(1, ge=1, le=64, description="Number of instances that train one model together.")
    volume_gb: int = Field(
        200, ge=1, le=16384, description="Disk size of the training job. Instance types with a local disk ignore it."
    )
    spot: bool = Field(
        False, description="Train on spot capacity. It is cheaper; an interrupted job resumes by itself."
    )
    max_wait_hours: float = Field(
        24, ge=0, le=24 * 28, description="Maximum time that a spot job waits for capacity, in addition to its runtime."
    )
    max_runtime_hours: float = Field(24, gt=0, le=24 * 28, description="Time limit of a training job.")
    keep_alive_minutes: int = Field(
        0,
        ge=0,
        le=360,
        description="Keep the instance for the next job of the same kind (warm pool). AWS bills this time.",
    )
    kms_key: str | None = Field(
        None,
        description="KMS key (id, ARN or alias) for S3 objects, and for the disks of instance types that permit it.",
    )
    subnets: list[str] = Field([], max_length=16, description="Run jobs and endpoints in these subnets of your VPC.")
    security_groups: list[str] = Field([], max_length=5, description="Security groups for the subnets.")
    network_isolation: bool = Field(
        False,
        description="Give jobs and endpoints no network at all. The training image must then contain every package.",
    )
    training_image: str | None = Field(
        None,
        description="Training image in ECR, such as one built from containers/training. Empty: AWS's PyTorch container.",
    )
    training_version: str = Field(
        "2.13",
        description="Version of AWS's PyTorch container, used when training_image is empty. The job installs missing packages.",
    )
    serving_instance: InstanceType = Field("ml.g5.2xlarge", description="Instance type of endpoints.")
    serving_engine: ServingEngine = Field(
        "vllm",
        description="Server: AWS's container of vLLM, TGI or DJL-LMI, or this project's own server (requires serving_image).",
    )
    serving_image: str | None = Field(
        None, description="Serving image in ECR. Empty: AWS's image for the engine. Required for finetune-flows."
    )
    serving_version: str | None = Field(
        None,
        description="Version of AWS's serving container. Empty: a fixed version that changes only when you upgrade.",
    )
    inference_ami: str | None = Field(
        None,
        description="InferenceAmiVersion of the endpoint's host. Empty: the one a CUDA 13 image needs, otherwise AWS's default.",
    )
    autoscaling: Autoscaling | None = Field(None, description="Empty: one instance, always.")
    asynchronous: bool = Field(
        False, description="Create an asynchronous endpoint: requests wait in S3, and it can scale to zero instances."
    )
    model_registry: bool = Field(
        True, description="Also record each candidate in SageMaker's Model Registry, with its scores and the decision."
    )
    max_usd: float | None = Field(
        None,
        gt=0,
        description="Maximum cost of one run. The job's time limit is cut to fit; a run that cannot fit is refused before "
        "anything is uploaded.",
    )
    tags: dict[str, str] = Field({}, max_length=40, description="Your own tags for everything that is created.")

    @property
    def trains_on(self) -> str:
        """The machine of the training job, for a report. Of several types, the job takes the first that can be had."""
        count = f"{self.instance_count} x " if self.instance_count > 1 else ""
        return f"sagemaker, {count}{' or '.join(self.training_instances)}"

    @property
    def serves_on(self) -> str:
        """The machine of the endpoints, for a report."""
        return f"sagemaker, {self.serving_instance}"

    @rule
    def _is_in_a_network_or_in_none(self) -> Iterator[str]:
        if bool(self.subnets) != bool(self.security_groups):
            yield "subnets and security_groups must be set together"

    @rule
    def _keeps_only_what_it_owns(self) -> Iterator[str]:
        if self.spot and self.keep_alive_minutes:
            yield "keep_alive_minutes: a warm pool cannot use spot capacity; set spot or keep_alive_minutes, not both"

    @rule
    def _has_an_image_of_its_engine(self) -> Iterator[str]:
        if self.serving_engine == "finetune-flows" and self.serving_image is None:
            yield "serving_engine finetune-flows needs serving_image: AWS has no image of this project's server"

    @rule
    def _sleeps_only_where_requests_wait(self) -> Iterator[str]:
        if self.autoscaling and self.autoscaling.min_instances == 0 and not self.asynchronous:
            yield "autoscaling.min_instances 0 needs asynchronous: a real-time endpoint has at least one instance"
