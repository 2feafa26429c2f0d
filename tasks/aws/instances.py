"""What common instance types have and about what they cost: instances.yaml, read once."""

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import Field

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform


class Instance(Frozen):
    """One type."""

    usd_per_hour: float = Field(description="On demand in us-east-1, about.")
    memory_gib: float
    gpu: str | None = None
    gpu_count: int = 0
    gpu_gib: float = Field(0.0, description="GiB that a program can use on one GPU.")


class Table(Frozen):
    """All that we know of, and since when."""

    read: str = Field(description="Year and month in which the prices were read.")
    source: str
    same_price: list[str]
    elsewhere: float
    instances: dict[str, Instance]


@lru_cache(maxsize=1)
def table() -> Table:
    """The table that comes with the package."""
    content = yaml.safe_load((files(__package__) / "instances.yaml").read_text(encoding="utf-8"))
    gpus = content.pop("gpus")
    instances = {name: _instance(row, gpus) for name, row in content.pop("instances").items()}
    return Table(instances=instances, **content)


def gpus_that_serve(section: SageMakerPlatform) -> int:
    """GPUs that share one model on the recipe's serving instance: all, but for our own server, which uses one."""
    instance = table().instances.get(section.serving_instance)
    return 1 if instance is None or section.serving_engine == "finetune-flows" else max(1, instance.gpu_count)


def _instance(row: dict[str, Any], gpus: dict[str, float]) -> Instance:
    gpu: str | None = row.get("gpu")
    return Instance(
        usd_per_hour=row["usd"],
        memory_gib=row["memory_gib"],
        gpu=gpu,
        gpu_count=row.get("count", 0),
        gpu_gib=gpus[gpu] if gpu else 0.0,
    )


# Families whose machines have an NVMe disk of their own, encrypted by hardware: a key for the volume is refused.
_OWN_DISK = re.compile(r"^ml\.(g4dn|g5|g6e?|gr6|g7e?|p3dn|p4de?|p5(e|en)?|p6-\w+|trn\d\w*|[a-z]\d\w*d)\.")


def has_own_disk(instance: str) -> bool:
    """Whether machines of this type have an NVMe disk, so that volume size and volume key mean nothing to them."""
    return _OWN_DISK.match(instance) is not None
