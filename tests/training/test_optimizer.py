"""Settings of the optimizer, seen by what they do to a training."""

from typing import Any


def test_gradients_of_several_steps_make_one_update(jobs: Any) -> None:
    single = jobs.run("single", method="lora", epochs=1, batch_size=2)
    several = jobs.run("several", method="lora", epochs=1, batch_size=2, gradient_accumulation=2)
    assert several["steps"] == -(-single["steps"] // 2)


def test_weight_decay_changes_the_weights(jobs: Any) -> None:
    free = jobs.run("free", method="lora", max_steps=2)
    decayed = jobs.run("decayed", method="lora", max_steps=2, weight_decay=0.9)
    assert free["losses"][0]["loss"] == decayed["losses"][0]["loss"]
    assert free["weights"] != decayed["weights"]
