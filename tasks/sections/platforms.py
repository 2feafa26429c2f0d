"""The platform section of a recipe: where jobs and endpoints run. Each kind of platform has its own fields."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform
from finetune_flows.tasks.sections.section import Section, rule


class _ThisMachine(Section):
    """What the platforms of this machine share."""

    kind: str

    @property
    def trains_on(self) -> str:
        """The machine of the training job, for a report."""
        return f"{self.kind}, this machine"

    @property
    def serves_on(self) -> str:
        """The machine of the endpoints, for a report."""
        return self.trains_on


class ProcessPlatform(_ThisMachine):
    """Jobs and endpoints are processes on this machine."""

    model_config = ConfigDict(title="Process")

    kind: Literal["process"] = Field("process", description="Jobs and endpoints are processes on this machine.")
    python: str | None = Field(
        None, description="Python interpreter with the training and serving extras installed. Empty: the current one."
    )
    serving_python: str | None = Field(
        None,
        description="Python interpreter for endpoints. vLLM needs an environment of its own. Empty: same as python.",
    )
    max_runtime_hours: float = Field(24, gt=0, le=24 * 28, description="Time limit of a training job.")


class DockerPlatform(_ThisMachine):
    """Jobs and endpoints are containers on this machine's Docker engine."""

    model_config = ConfigDict(title="Docker")

    kind: Literal["docker"] = Field("docker", description="Jobs and endpoints are containers on this machine.")
    base_image: str = Field("python:3.11-slim", description="Image that this project's images are built on.")
    training_image: str | None = Field(
        None,
        description="Training image. It must follow SageMaker's contract: `train` starts the job. "
        "Empty: build containers/training.",
    )
    serving_image: str | None = Field(
        None, description="Serving image. Empty: build containers/serving, or use the public image of the engine."
    )
    serving_engine: Literal["finetune-flows", "vllm", "tgi"] = Field(
        "finetune-flows",
        description="Server in serving_image: this project's own (CPU), vLLM or TGI (GPU). tgi requires serving_image.",
    )
    gpus: str | None = Field(
        None,
        pattern=r"^(all|[1-9]\d*|device=[\w:.-]+(,[\w:.-]+)*)$",
        description="GPUs to use, as in docker run --gpus: all, a count, or device=0,2. Empty: no GPU.",
    )
    memory_gb: float | None = Field(
        None,
        gt=0,
        description="Memory limit of a container; a container that takes more is killed. Empty: the machine's memory less 1 GB.",
    )
    max_runtime_hours: float = Field(24, gt=0, le=24 * 28, description="Time limit of a training job.")

    @rule
    def _names_its_engine(self) -> Iterator[str]:
        if self.serving_engine == "tgi" and self.serving_image is None:
            yield "serving_engine tgi needs serving_image: the TGI project is archived, so there is no default image"


Platform = Annotated[
    ProcessPlatform | DockerPlatform | SageMakerPlatform,
    Field(discriminator="kind", description="Where jobs and endpoints run."),
]
