"""The deployments of the image: those of prefect.yaml, with jobs and endpoints in containers beside the worker's.

    python -m finetune_flows.containers.orchestrator.deployments prefect.yaml

The worker has no torch, so a recipe that names no platform runs on docker.
"""

import sys
from pathlib import Path
from typing import Any

import yaml


def for_containers(content: dict[str, Any]) -> dict[str, Any]:
    """The content of prefect.yaml, with the platform docker in every recipe that names none."""
    for deployment in content["deployments"]:
        recipe = deployment.get("parameters", {}).get("recipe")
        if recipe is not None:
            recipe.setdefault("platform", {"kind": "docker"})
    return content


if __name__ == "__main__":
    file = Path(sys.argv[1])
    content = for_containers(yaml.safe_load(file.read_text(encoding="utf-8")))
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
