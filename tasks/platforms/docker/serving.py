"""What runs in a serving container: our own server, or the public image of an engine for GPUs.

The model lies in /opt/ml/model and the server listens on 8080, whatever the engine. Tags are pinned: an engine that
changes under a champion changes its answers.
"""

from dataclasses import dataclass

from finetune_flows.tasks.platforms.contract import EndpointSpec
from finetune_flows.tasks.sections.platforms import DockerPlatform

MODEL = "/opt/ml/model"
VLLM_IMAGE = "vllm/vllm-openai:v0.11.0"


@dataclass(frozen=True)
class Plan:
    """Image (None: our own), what it is told, and where it answers when it is healthy."""

    image: str | None
    command: list[str]
    environment: dict[str, str]
    health: str


def plan(section: DockerPlatform, spec: EndpointSpec) -> Plan:
    """The plan for a model by the recipe's serving settings, which the spec carries as SERVING_* variables."""
    if section.serving_engine == "vllm":
        return Plan(section.serving_image or VLLM_IMAGE, _vllm(spec.environment), {}, "/health")
    if section.serving_engine == "tgi":
        return Plan(section.serving_image, _tgi(spec.environment), {}, "/health")
    return Plan(section.serving_image, ["serve"], spec.environment, "/ping")


def _vllm(settings: dict[str, str]) -> list[str]:
    return [
        *("--model", MODEL, "--served-model-name", "model", "--host", "0.0.0.0", "--port", "8080"),
        *("--dtype", settings["SERVING_DTYPE"]),
        *("--max-model-len", settings["SERVING_MAX_MODEL_LENGTH"]),
        *("--max-num-seqs", settings["SERVING_MAX_BATCH_SIZE"]),
    ]


def _tgi(settings: dict[str, str]) -> list[str]:
    length = int(settings["SERVING_MAX_MODEL_LENGTH"])
    dtype = settings["SERVING_DTYPE"]
    return [
        *("--model-id", MODEL, "--hostname", "0.0.0.0", "--port", "8080"),
        *(("--dtype", dtype) if dtype != "auto" else ()),
        *("--max-total-tokens", str(length), "--max-input-tokens", str(length - 1)),
        *("--max-concurrent-requests", settings["SERVING_MAX_BATCH_SIZE"]),
    ]
