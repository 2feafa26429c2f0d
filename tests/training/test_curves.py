"""The trainer's curves, where TensorBoard finds them."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from finetune_flows.training.choices import check_reporting
from finetune_flows.training.problems import TrainingProblem


def scalars(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Name, step and value of all that was written: records of a length, its checksum, the event, its checksum."""
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            yield from ((value.tag, event.step, value.simple_value) for value in event.summary.value)


def test_curves_lie_beside_the_model_and_change_nothing_of_it(jobs: Any) -> None:
    told = jobs.run("told", method="lora", max_steps=4, report_to="tensorboard")
    plain = jobs.run("plain", method="lora", max_steps=4)
    assert told["weights"] == plain["weights"]
    losses = [(step, value) for name, step, value in scalars(jobs.folders("told").curves) if name == "train/loss"]
    assert [step for step, _ in losses] == [1, 2, 3, 4]
    assert [value for _, value in losses] == pytest.approx([each["loss"] for each in told["losses"]], rel=1e-5)
    assert not jobs.folders("plain").curves.exists()


def test_a_tracker_that_is_not_installed_is_told_before_anything_is_loaded() -> None:
    with pytest.raises(TrainingProblem, match="report_to: the package trackio is not installed"):
        check_reporting("trackio")
