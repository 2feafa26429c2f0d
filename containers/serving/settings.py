"""What the server can be told by its environment, as SageMaker and Docker do it."""

import os
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "SERVING_"


class ServingSettings(BaseModel):
    """Each field is read from the variable SERVING_<FIELD IN CAPITALS>. OMP_NUM_THREADS limits the cores in use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["auto", "transformers", "vllm"] = Field(
        "auto", description="What computes. auto: vllm where it is installed, else our own engine on transformers."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Computing type. auto: float32 on a CPU, where it is the fastest; bfloat16 on a GPU."
    )
    max_batch_size: int = Field(32, ge=1, le=1024, description="Sequences that are computed together.")
    max_model_length: int = Field(2048, ge=8, description="Longest prompt and answer together, in tokens.")
    max_queue: int = Field(1024, ge=1, description="Requests that may wait; further ones are refused with status 429.")
    prefix_megabytes: int = Field(
        256, ge=0, description="Memory for the beginnings of prompts, so that a shared one is read once. 0: none."
    )
    request_seconds: float = Field(
        600, gt=0, description="Longest time for one request, its wait included; then it ends with status 504."
    )
    grace_seconds: float = Field(
        25,
        ge=0,
        description="After SIGTERM, the time to finish what runs. SageMaker kills a container after 30 seconds.",
    )
    access_log: Literal["off", "requests", "texts"] = Field(
        "requests",
        description="One JSON line for each request on the standard output; texts: prompt and answer in it too.",
    )
    capture: float = Field(
        0, ge=0, le=1, description="Share of requests whose prompt is in the access log, drawn at random."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Of everything else that is logged."
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the variables; other SERVING_ variables are left alone. Raises ValueError, naming each that is wrong."""
        names = {name: PREFIX + name.upper() for name in cls.model_fields}
        try:
            return cls.model_validate({name: environment[key] for name, key in names.items() if environment.get(key)})
        except ValidationError as error:
            problems = [f"{names[str(problem['loc'][0])]}: {problem['msg']}" for problem in error.errors()]
            raise ValueError("; ".join(problems)) from error
