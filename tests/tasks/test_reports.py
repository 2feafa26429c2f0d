from finetune_flows.tasks.base.statistics import Comparison, Proportion
from finetune_flows.tasks.reporting.words import gain, percent
from finetune_flows.tasks.train import parse_step


def test_a_score_carries_its_interval_and_n() -> None:
    assert percent(Proportion.of(784, 1000)) == "78.4 % (75.7 to 80.8, n = 1000)"
    assert percent(Proportion.of(0, 0)) == "no rows"
    assert percent(None) == "no rows"


def test_a_gain_carries_its_interval_test_and_n() -> None:
    words = gain(Comparison.of([(False, True)] * 30 + [(True, True)] * 10))
    assert words.startswith("+75.0 points (+5")
    assert words.endswith("McNemar p = 1.9e-09, n = 40")


def test_progress_lines_are_read_and_other_lines_are_not() -> None:
    line = "step=12 steps=100 epoch=0.12 loss=1.234 learning_rate=0.0002 tokens_per_second=140 seconds_left=95"
    step = parse_step(line)
    assert step is not None
    assert (step["step"], step["loss"], step["seconds_left"]) == ("12", "1.234", "95")
    for other in ("", "step=", "step=4 validation_loss=1.2", "loading weights", "chosen dtype=float32 because"):
        assert parse_step(other) is None
