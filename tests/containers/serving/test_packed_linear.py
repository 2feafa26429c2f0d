"""The layers that replace nn.Linear: same numbers, the same for each row whatever it is computed with, few kernel sizes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from finetune_flows.containers.serving.linear import PackedLinear, pack_linear_layers, padded_rows


@pytest.fixture(scope="module")
def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(48, 80)


@pytest.mark.parametrize("shape", [(1,), (7,), (32,), (33,), (3, 50), (2, 3, 41), (0,)])
@torch.inference_mode()
def test_gives_what_linear_gives(linear: nn.Linear, shape: tuple[int, ...]) -> None:
    inputs = torch.randn(*shape, 48)
    result = PackedLinear(linear)(inputs)
    assert result.shape == (*shape, 80)
    torch.testing.assert_close(result, linear(inputs), rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_a_row_is_the_same_bit_for_bit_however_many_are_with_it(linear: nn.Linear) -> None:
    packed, inputs = PackedLinear(linear), torch.randn(300, 48)
    alone = packed(inputs[:1])
    for count in (2, 5, 32, 33, 100, 300):
        assert torch.equal(packed(inputs[:count])[:1], alone), count


@settings(max_examples=200)
@given(rows=st.integers(0, 100_000))
def test_padding_is_little_and_never_cuts(rows: int) -> None:
    assert rows <= padded_rows(rows) <= rows * 1.125 + 1
    assert padded_rows(padded_rows(rows)) == padded_rows(rows)


def test_few_sizes_whatever_the_prompts_lengths() -> None:
    assert len({padded_rows(rows) for rows in range(1, 8193)}) <= 32 + 8 * 8


def test_all_linear_layers_of_a_model_are_replaced_and_no_other_type() -> None:
    model = nn.Sequential(
        nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 2, bias=False), nn.LayerNorm(2)), nn.Embedding(3, 4)
    )
    assert pack_linear_layers(model) == 2
    assert not any(type(module) is nn.Linear for module in model.modules())
    assert pack_linear_layers(nn.Linear(2, 2).to(torch.bfloat16)) == 0
