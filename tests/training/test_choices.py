"""What `auto` means on each device, as a table."""

import pytest

from finetune_flows.training.choices import Choices, Device, choose
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings

CPU = Device("cpu", "2 CPU threads", bfloat16=False, flash_attention=False)
H100 = Device("cuda", "H100", bfloat16=True, flash_attention=True)
A10G = Device("cuda", "A10G", bfloat16=True, flash_attention=False)
T4 = Device("cuda", "T4", bfloat16=False, flash_attention=False)


def values(choices: Choices) -> tuple[str, str, bool, str]:
    return (
        choices.dtype.value,
        choices.attention.value,
        choices.gradient_checkpointing.value,
        choices.batching.value,
    )


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (CPU, ("float32", "sdpa", False, "length_grouping")),
        (H100, ("bfloat16", "flash_attention_2", True, "packing")),
        (A10G, ("bfloat16", "sdpa", True, "packing")),
        (T4, ("float16", "sdpa", True, "packing")),
    ],
)
def test_auto_suits_the_device(device: Device, expected: tuple[str, str, bool, str]) -> None:
    assert values(choose(TrainingSettings(), device)) == expected


def test_what_the_settings_say_wins() -> None:
    settings = TrainingSettings(dtype="float32", attention="eager", gradient_checkpointing="off", batching="random")
    assert values(choose(settings, H100)) == ("float32", "eager", False, "random")


def test_flash_attention_is_not_chosen_for_a_type_that_it_cannot_compute() -> None:
    assert choose(TrainingSettings(dtype="float32"), H100).attention.value == "sdpa"


def test_every_choice_gives_its_reason_in_one_line() -> None:
    lines = choose(TrainingSettings(), CPU).lines()
    assert len(lines) == 4
    assert all(line.startswith("chosen ") and " because " in line and "\n" not in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "device", "word"),
    [
        (TrainingSettings(attention="flash_attention_2"), CPU, "flash_attention_2"),
        (TrainingSettings(attention="flash_attention_2"), A10G, "flash_attn"),
        (TrainingSettings(attention="flash_attention_2", dtype="float32"), H100, "16-bit"),
        (TrainingSettings(dtype="float16"), CPU, "float16"),
        (TrainingSettings(sharding="fsdp", processes=2), CPU, "fsdp"),
        (TrainingSettings(processes=4), A10G, "there are 1"),
    ],
)
def test_what_the_device_cannot_do_is_refused(settings: TrainingSettings, device: Device, word: str) -> None:
    with pytest.raises(TrainingProblem, match=word):
        choose(settings, device)
