"""Training that goes on from the adapter that an earlier one left."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from training.adapter import adapter_digest
from training.contract import Folders
from training.problems import TrainingProblem
from training.run import run
from training.settings import TrainingSettings
from training.stopping import Stopped, StopRequest

LEARNS: dict[str, Any] = {"learning_rate": 5e-3, "batch_size": 8, "lora_r": 8, "seed": 3}


class StopAt(StopRequest):
    """As if SIGTERM came during that step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def came_to_any(self) -> bool:
        self.left -= 1
        return self.left <= 0


def go_on(jobs: Any, output: Path, stop: StopRequest | None = None, **settings: Any) -> dict[str, Any]:
    """A job that starts from the adapter of `jobs`' job "first"."""
    first, other = jobs.folders("first"), jobs.folders("other")
    folders = Folders.by_hand(other.dataset, other.base, output, first.adapter)
    run(folders, TrainingSettings.model_validate(LEARNS | settings), stop or StopRequest())
    report: dict[str, Any] = json.loads(folders.report.read_text())
    return report


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_it_begins_where_the_earlier_one_ended(jobs: Any, tmp_path: Path, method: str) -> None:
    earlier = jobs.run("first", method=method, epochs=8, **LEARNS)
    later = go_on(jobs, tmp_path / "later", method=method, max_steps=2)
    began, ended, went_on = earlier["losses"][0]["loss"], earlier["losses"][-1]["loss"], later["losses"][0]["loss"]
    assert began - went_on > 0.9 * (began - ended) > 0.5
    assert later["went_on_from_adapter"] == adapter_digest(jobs.folders("first").adapter)
    assert earlier["went_on_from_adapter"] is None
    assert later["trainable_parameters"] == earlier["trainable_parameters"]


def test_stopped_and_resumed_it_ends_with_the_same_adapter(jobs: Any, tmp_path: Path) -> None:
    jobs.run("first", method="lora", max_steps=3, **LEARNS)
    whole = {"method": "lora", "max_steps": 6, "checkpoint_every": 2}
    go_on(jobs, tmp_path / "whole", **whole)
    with pytest.raises(Stopped):
        go_on(jobs, tmp_path / "parts", StopAt(4), **whole)
    go_on(jobs, tmp_path / "parts", **whole)
    one, other = (
        load_file(tmp_path / name / "model" / "adapter" / "adapter_model.safetensors") for name in ("whole", "parts")
    )
    assert all(torch.equal(one[name], other[name]) for name in one | other)


def test_a_checkpoint_of_another_start_is_refused(jobs: Any, tmp_path: Path) -> None:
    jobs.run("first", method="lora", max_steps=3, **LEARNS)
    with pytest.raises(Stopped):
        go_on(jobs, tmp_path / "job", StopAt(3), method="lora", max_steps=6, checkpoint_every=1)
    shutil.rmtree(jobs.folders("first").model.parent)
    jobs.run("first", method="lora", max_steps=5, **LEARNS)
    with pytest.raises(TrainingProblem, match="start"):
        go_on(jobs, tmp_path / "job", method="lora", max_steps=6, checkpoint_every=1)


def test_an_adapter_of_another_shape_is_refused_before_the_model_is_loaded(jobs: Any, tmp_path: Path) -> None:
    jobs.run("first", method="lora", max_steps=1, **LEARNS)
    with pytest.raises(TrainingProblem, match=r"r is 8, not 4; lora_alpha is \d+, not 7"):
        go_on(jobs, tmp_path / "job", method="lora", lora_r=4, lora_alpha=7)
    with pytest.raises(TrainingProblem, match="method is full"):
        go_on(jobs, tmp_path / "job", method="full")
