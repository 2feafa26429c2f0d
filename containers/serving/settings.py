"""The settings of the server, which it reads from environment variables."""

import os
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "SERVING_"


class ServingSettings(BaseModel):
    """The variable SERVING_<FIELD IN CAPITALS> sets each field. OMP_NUM_THREADS limits the number of cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["auto", "transformers", "vllm"] = Field(
        "auto", description="Library that runs the model. auto: vllm if installed, otherwise transformers."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Number type. auto: float32 on a CPU, where it is the fastest; bfloat16 on a GPU."
    )
    max_batch_size: int = Field(32, ge=1, le=1024, description="Maximum number of sequences in one batch.")
    max_model_length: int = Field(2048, ge=8, description="Maximum length of prompt and answer together, in tokens.")
    max_queue: int = Field(
        1024, ge=1, description="Maximum number of waiting requests. Further requests are refused with status 429."
    )
    prefix_megabytes: int = Field(
        256, ge=0, description="Memory for beginnings that prompts share, so that each is computed once. 0: off."
    )
    request_seconds: float = Field(
        600, gt=0, description="Time limit for one request, including its wait. It then ends with status 504."
    )
    grace_seconds: float = Field(
        25,
        ge=0,
        description="Time to finish running requests after SIGTERM. SageMaker kills a container after 30 seconds.",
    )
    access_log: Literal["off", "requests", "texts"] = Field(
        "requests",
        description="Write one JSON line per request to the standard output. texts: including prompt and answer.",
    )
    capture: float = Field(
        0, ge=0, le=1, description="Share of requests, chosen at random, whose prompt is written to the access log."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Log level of all other messages."
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the variables and ignore other SERVING_ variables. Raises ValueError that names every wrong one."""
        names = {name: PREFIX + name.upper() for name in cls.model_fields}
        try:
            return cls.model_validate({name: environment[key] for name, key in names.items() if environment.get(key)})
        except ValidationError as error:
            problems = [f"{names[str(problem['loc'][0])]}: {problem['msg']}" for problem in error.errors()]
            raise ValueError("; ".join(problems)) from error
