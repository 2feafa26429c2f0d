"""The hardware and approximate prices of common instance types, from instances.yaml."""

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import Field

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform


class Instance(Frozen):
    """One instance type."""

    usd_per_hour: float = Field(description="Approximate on-demand price in us-east-1.")
    memory_gib: float
    gpu: str | None = None
    gpu_count: int = 0
    gpu_gib: float = Field(0.0, description="GiB that a program can use on one GPU.")


class Table(Frozen):
    """All known instance types, and the date of the prices."""

    read: str = Field(description="Year and month of the prices.")
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
    """The number of GPUs that one model uses on the recipe's serving instance: all, or one with this project's server."""
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


# Instance families with a local NVMe disk. Its hardware encrypts it, so SageMaker refuses VolumeKmsKeyId for these types.
_OWN_DISK = re.compile(r"^ml\.(g4dn|g5|g6e?|gr6|g7e?|p3dn|p4de?|p5(e|en)?|p6-\w+|trn\d\w*|[a-z]\d\w*d)\.")


def has_own_disk(instance: str) -> bool:
    """Whether this type has a local NVMe disk. If so, SageMaker ignores the volume size and refuses a volume key."""
    return _OWN_DISK.match(instance) is not None
