"""Retraining: on the champion's test, from the base model or from where the champion ended."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.flows.finetune import finetune
from finetune_flows.flows.retrain import retrain
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import parents_of
from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.recipe import parse_recipe
from finetune_flows.training.adapter import adapter_digest
from tests.support.tiny_model import add_rows

pytestmark = pytest.mark.usefixtures("reused")


def training_of(model: Reference) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((model.path / "training.json").read_text())
    return report


def test_new_rows_can_be_learnt_from_where_the_champion_ended(home: Path, content: dict[str, Any]) -> None:
    content["training"] |= {"method": "lora", "lora_r": 4}
    champion = finetune(parse_recipe(content, "tiny")).model
    add_rows(Path(content["dataset"]["source"]), 8)
    done = retrain(parse_recipe(content, "tiny"), continue_champion=True)
    assert done.outcome is not None
    assert done.outcome.promoted
    assert training_of(done.outcome.model)["went_on_from_adapter"] == adapter_digest(champion.path / "adapter")
    assert champion.digest in parents_of(done.outcome.model)
    assert retrain(parse_recipe(content, "tiny"), continue_champion=True).skipped


def test_a_model_without_an_adapter_cannot_be_gone_on_from(home: Path, content: dict[str, Any]) -> None:
    model = finetune(parse_recipe(content, "tiny")).model
    content["training"] |= {"method": "lora"}
    with pytest.raises(RecipeError, match=r"has no adapter: it was trained with training\.method: full"):
        finetune(parse_recipe(content, "tiny"), model.digest[:8])


def test_an_adapter_of_another_shape_is_refused_before_anything_is_asked(home: Path, content: dict[str, Any]) -> None:
    content["training"] |= {"method": "lora", "lora_r": 4}
    model = finetune(parse_recipe(content, "tiny")).model
    jobs = list(home.glob("jobs/*"))
    content["training"] |= {"lora_r": 8}
    with pytest.raises(RecipeError, match="r is 4, not 8"):
        finetune(parse_recipe(content, "tiny"), model.digest[:8])
    content["training"] |= {"method": "full", "lora_r": 4}
    with pytest.raises(RecipeError, match="training can only continue from an adapter"):
        finetune(parse_recipe(content, "tiny"), model.digest[:8])
    assert list(home.glob("jobs/*")) == jobs
