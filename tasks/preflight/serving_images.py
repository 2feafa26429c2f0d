"""Which server image runs by default, and which transformers an image carries: it decides which models it can read.

Versions are pinned, because another version of an engine may change a champion's answers.
"""

import re
from collections.abc import Iterator

from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.recipe import DockerPlatform, Recipe, SageMakerPlatform
from finetune_flows.training.readers import OLDEST

VLLM_IMAGE = "vllm/vllm-openai:v0.32.0"
"""vLLM's public image."""
AWS_IMAGES = {
    "vllm": ("vllm", "0.30.0"),
    "tgi": ("huggingface-llm", "3.3.6"),
    "djl-lmi": ("djl-lmi", "0.38.0"),
}
"""By engine: the SageMaker SDK's name of AWS's image, and the version if the recipe names none."""
CARRIED = {
    # What the package vllm of this version requires (its metadata on the package index). Versions between two entries
    # carry at least what the earlier one requires.
    "vllm": {
        "0.11.0": "4.55.2",
        "0.12.0": "4.56.0",
        "0.19.1": "5.5.1",
        "0.28.0": "5.5.3",
        "0.30.0": "5.10.4",
        "0.32.0": "5.16.1",
    },
}
"""By engine and version: the least transformers inside. Of TGI and DJL-LMI it is not published."""
_IN_TAG = re.compile(r"transformers(\d+(?:\.\d+)+)")  # such as 0.28.0-transformers5.15.0-gpu-py312-cu130-ubuntu24.04
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")


def transformers_in(engine: str, tag: str) -> str | None:
    """The least version of transformers in an image with this tag or version; None: unknown."""
    if stated := _IN_TAG.search(tag):
        return stated.group(1)
    version = _VERSION.match(tag)
    known = [each for each in CARRIED.get(engine, {}) if version and _number(each) <= _number(version.group(1))]
    return CARRIED[engine][max(known, key=_number)] if known else None


def serving_tag(platform: DockerPlatform | SageMakerPlatform) -> str:
    """The tag of the image that serves, as far as it is known before the image is looked up: at least its version."""
    if platform.serving_image:
        return platform.serving_image.rpartition(":")[2]
    if isinstance(platform, SageMakerPlatform):
        return platform.serving_version or AWS_IMAGES[platform.serving_engine][1]
    return VLLM_IMAGE.rpartition(":")[2]


def reads_models(recipe: Recipe) -> Finding | None:
    """Whether the server's transformers is new enough for the models that training saves; None for our own server."""
    platform = recipe.platform
    if not isinstance(platform, DockerPlatform | SageMakerPlatform) or platform.serving_engine == "finetune-flows":
        return None
    image = f"{platform.serving_engine} {serving_tag(platform)}"
    carried = transformers_in(platform.serving_engine, serving_tag(platform))
    if carried is None:
        found = f"it is not known which transformers {image} carries; saved models need {OLDEST} or later"
        return Finding(what="serving image", found=found, ok=True)
    found = f"{image} carries transformers {carried} or later; saved models need {OLDEST}"
    if _number(carried) >= _number(OLDEST):
        return Finding(what="serving image", found=found, ok=True)
    found = f"{image} may carry transformers {carried}, and models that are saved here need {OLDEST} or later"
    advice = "name a newer image or version, or none"
    return Finding(what="serving image", found=found, ok=False, advice=advice)


def unreadable(recipe: Recipe) -> Iterator[str]:
    """The problem of a server that is too old, as a check of the recipe."""
    finding = reads_models(recipe)
    if finding and not finding.ok:
        yield f"platform: {finding.found}. Next: {finding.advice}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
