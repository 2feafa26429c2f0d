"""Where jobs and endpoints run: a section of the recipe for each kind of platform."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform
from finetune_flows.tasks.sections.section import Section, rule


class ProcessPlatform(Section):
    """Jobs and endpoints are processes on this machine."""

    model_config = ConfigDict(title="Process")

    kind: Literal["process"] = Field("process", description="Jobs and endpoints are processes on this machine.")
    python: str | None = Field(
        None, description="Interpreter that has the training and serving extras; default: this one."
    )
    serving_python: str | None = Field(
        None, description="Interpreter that serves, such as one that has vllm, which needs its own; default: python."
    )
    max_runtime_hours: float = Field(24, gt=0, le=24 * 28, description="A training job is stopped after so many hours.")


class DockerPlatform(Section):
    """Jobs and endpoints are containers on this machine's Docker engine."""

    model_config = ConfigDict(title="Docker")

    kind: Literal["docker"] = Field("docker", description="Jobs and endpoints are containers on this machine.")
    base_image: str = Field("python:3.11-slim", description="What our images are built on.")
    training_image: str | None = Field(
        None,
        description="Image that answers to `train` by SageMaker's contract; default: built from containers/training.",
    )
    serving_image: str | None = Field(
        None, description="Image that serves; default: built from containers/serving, or the engine's public image."
    )
    serving_engine: Literal["finetune-flows", "vllm", "tgi"] = Field(
        "finetune-flows",
        description="What runs in serving_image: our own server (CPU), vLLM or TGI (GPU). TGI needs serving_image.",
    )
    gpus: str | None = Field(
        None,
        pattern=r"^(all|[1-9]\d*|device=[\w:.-]+(,[\w:.-]+)*)$",
        description="As in docker run --gpus: all, a count, or device=0,2. Default: no GPU.",
    )
    memory_gb: float | None = Field(
        None, gt=0, description="A container that takes more is ended; default: the machine's memory less 1 GB."
    )
    max_runtime_hours: float = Field(24, gt=0, le=24 * 28, description="A training job is stopped after so many hours.")

    @rule
    def _names_its_engine(self) -> Iterator[str]:
        if self.serving_engine == "tgi" and self.serving_image is None:
            yield "serving_engine tgi needs serving_image: the project is archived, so none is chosen for you"


Platform = Annotated[
    ProcessPlatform | DockerPlatform | SageMakerPlatform,
    Field(discriminator="kind", description="Where jobs and endpoints run."),
]
