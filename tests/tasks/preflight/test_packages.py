"""A recipe that names a package which is not there is refused before its job starts."""

import sys
from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.preflight.sources import SOURCE_CHECKS
from finetune_flows.tasks.recipe import load_recipe

DEMO = Path("recipes/demo.yaml")


def test_packages_that_the_recipe_names_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    named = ["tracking.to=mlflow", "training.attention=flash_attention_2"]
    with pytest.raises(RecipeError) as raised:
        load_recipe(DEMO, named, SOURCE_CHECKS)
    assert len(raised.value.problems) == 2
    assert "pip install 'finetune-flows[tracking]'" in str(raised.value)
    load_recipe(DEMO, [], SOURCE_CHECKS)


def test_a_container_brings_its_own_packages_for_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    load_recipe(DEMO, ["training.attention=flash_attention_2", "platform.kind=docker"], SOURCE_CHECKS)
