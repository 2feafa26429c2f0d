"""Packages that a recipe needs and that are no part of every installation."""

from collections.abc import Iterator
from importlib.util import find_spec

from finetune_flows.tasks.recipe import Recipe


def not_installed(recipe: Recipe) -> Iterator[str]:
    """What the recipe names and Python does not find here. Containers bring their own packages for training."""
    if recipe.tracking.to == "mlflow" and not _installed("mlflow"):
        yield "tracking.to: mlflow is not installed; pip install 'finetune-flows[tracking]'"
    wanted = recipe.training.attention == "flash_attention_2" and recipe.platform.kind == "process"
    if wanted and not _installed("flash_attn"):
        yield "training.attention: flash_attn is not installed; pip install flash-attn (it needs a GPU), or set auto"


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # Python's word for a module that was blocked
        return False
