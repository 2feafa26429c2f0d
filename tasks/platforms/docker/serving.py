"""What runs in a serving container: our own server, or the public image of an engine for GPUs."""

from dataclasses import dataclass

from finetune_flows.tasks.platforms import engines
from finetune_flows.tasks.platforms.contract import EndpointSpec
from finetune_flows.tasks.preflight.serving_images import VLLM_IMAGE
from finetune_flows.tasks.sections.platforms import DockerPlatform


@dataclass(frozen=True)
class Plan:
    """The image (None for our own), its command and environment, and the path that answers when it is healthy."""

    image: str | None
    command: list[str]
    environment: dict[str, str]
    health: str


def plan(section: DockerPlatform, spec: EndpointSpec) -> Plan:
    """The plan for a model, from the recipe's serving settings."""
    engine = section.serving_engine
    if engine == "finetune-flows":
        return Plan(section.serving_image, ["serve"], engines.environment(engine, spec.serving), "/ping")
    image = section.serving_image or (VLLM_IMAGE if engine == "vllm" else None)
    return Plan(image, engines.arguments(engine, spec.serving), {}, "/health")
