"""Sampler: penalties and limits, on scores that are written down."""

import pytest
import torch

from finetune_flows.containers.serving.engine import Sampling
from finetune_flows.containers.serving.sampling import Sampler

PROMPT = [4, 4, 4]
SCORES = torch.tensor([0.0, 3.0, 2.9, 2.0, 2.8])


@pytest.mark.parametrize(
    ("penalties", "answer", "chosen"),
    [
        ({}, [1, 1], 1),
        ({"presence_penalty": 0.15}, [1, 1], 2),
        ({"presence_penalty": 0.05}, [1, 1], 1),  # once, however often the token came
        ({"frequency_penalty": 0.06}, [1, 1], 2),
        ({"frequency_penalty": 0.06}, [1], 1),
        ({"presence_penalty": 2}, [1, 2], 4),  # the prompt's own tokens do not count
        ({"presence_penalty": -1}, [3], 1),
        ({"presence_penalty": -2}, [3], 3),
        ({"repetition_penalty": 1.6}, [1, 2], 3),  # here the prompt counts
    ],
)
def test_penalties(penalties: dict[str, float], answer: list[int], chosen: int) -> None:
    sampler = Sampler(Sampling(max_new_tokens=9, **penalties), prompt_length=len(PROMPT))
    assert sampler.plain == (not penalties)
    assert sampler.choose([*PROMPT, *answer], SCORES) == chosen


def drawn(**limits: float) -> set[int]:
    sampler = Sampler(Sampling(max_new_tokens=9, temperature=1.0, seed=1, **limits))
    return {sampler.choose([0], SCORES) for _ in range(200)}


def test_limits_rule_out_unlikely_tokens() -> None:
    assert drawn() == {0, 1, 2, 3, 4}
    assert drawn(top_k=2) == {1, 2}
    assert drawn(min_p=0.8) == {1, 2, 4}  # exp(-0.2) is 0.82
    assert drawn(min_p=1.0) == {1}
