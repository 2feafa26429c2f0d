"""Training that goes on from the adapter that an earlier one left."""

import shutil
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from finetune_flows.training.adapter import adapter_digest
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.stopping import Stopped, StopRequest
from tests.support.stop_at_step import StopAtStep

LEARNS: dict[str, Any] = {"learning_rate": 5e-3, "batch_size": 8, "lora_r": 8, "seed": 3}


def go_on(jobs: Any, name: str, stop: StopRequest | None = None, **settings: Any) -> dict[str, Any]:
    """A job that starts from the adapter of the job "first"."""
    report: dict[str, Any] = jobs.run(name, stop, start=jobs.folders("first").adapter, **LEARNS | settings)
    return report


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_it_begins_where_the_earlier_one_ended(jobs: Any, method: str) -> None:
    earlier = jobs.run("first", method=method, epochs=8, **LEARNS)
    later = go_on(jobs, "later", method=method, max_steps=2)
    began, ended, went_on = earlier["losses"][0]["loss"], earlier["losses"][-1]["loss"], later["losses"][0]["loss"]
    assert began - went_on > 0.9 * (began - ended) > 0.5
    assert later["went_on_from_adapter"] == adapter_digest(jobs.folders("first").adapter)
    assert earlier["went_on_from_adapter"] is None
    assert later["trainable_parameters"] == earlier["trainable_parameters"]


def test_stopped_and_resumed_it_ends_with_the_same_adapter(jobs: Any) -> None:
    jobs.run("first", method="lora", max_steps=3, **LEARNS)
    whole = {"method": "lora", "max_steps": 6, "checkpoint_every": 2}
    go_on(jobs, "whole", **whole)
    with pytest.raises(Stopped):
        go_on(jobs, "parts", StopAtStep(4), **whole)
    go_on(jobs, "parts", **whole)
    one, other = (load_file(jobs.folders(name).adapter / "adapter_model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], other[name]) for name in one | other)


def test_a_checkpoint_of_another_start_is_refused(jobs: Any) -> None:
    jobs.run("first", method="lora", max_steps=3, **LEARNS)
    with pytest.raises(Stopped):
        go_on(jobs, "job", StopAtStep(3), method="lora", max_steps=6, checkpoint_every=1)
    shutil.rmtree(jobs.folders("first").model.parent)
    jobs.run("first", method="lora", max_steps=5, **LEARNS)
    with pytest.raises(TrainingProblem, match="start"):
        go_on(jobs, "job", method="lora", max_steps=6, checkpoint_every=1)


def test_an_adapter_of_another_shape_is_refused_before_the_model_is_loaded(jobs: Any) -> None:
    jobs.run("first", method="lora", max_steps=1, **LEARNS)
    with pytest.raises(TrainingProblem, match=r"r is 8, not 4; lora_alpha is \d+, not 7"):
        go_on(jobs, "job", method="lora", lora_r=4, lora_alpha=7)
    with pytest.raises(TrainingProblem, match="method is full"):
        go_on(jobs, "job", method="full")
