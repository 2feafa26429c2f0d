"""The base model in four bits and packed, and what it costs when a library changes its mind."""

from pathlib import Path
from typing import Any

import bitsandbytes.nn.modules
import pytest
import torch
import trl.trainer.utils
from bitsandbytes.nn import Linear4bit
from peft import get_peft_model

from finetune_flows.training.adapter import adapter_config
from finetune_flows.training.data import Rows, read_rows
from finetune_flows.training.masks import IGNORED
from finetune_flows.training.model import load_base, load_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.trainer import score_answers_only
from tests.support.tiny_model import tiny_tokenizer


@pytest.fixture
def rows(tiny_rows: Path) -> Rows:
    rows = read_rows(tiny_rows, "train", tiny_tokenizer(), 512)
    assert rows is not None
    return rows


def adapter_gradients(model: Any, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    model.train()
    model.zero_grad()
    model(input_ids=ids, labels=ids).loss.backward()
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.requires_grad}


def four_bit_model_with_adapter(base: Path) -> Any:
    torch.manual_seed(0)
    base_model = load_base(base, "float32", four_bit=True)
    model = get_peft_model(base_model, adapter_config(TrainingSettings(), base_model))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first, which would hide a lost gradient of lora_A
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def gradients_around_an_evaluation(model: Any, ids: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    before = adapter_gradients(model, ids)
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    after = adapter_gradients(model, ids)
    return [(before[name], after[name]) for name in before]


@pytest.fixture
def avx512bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests can fail on any CPU: bitsandbytes believes that it has the instructions for its kernel."""
    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)


@pytest.mark.usefixtures("avx512bf16")
def test_an_evaluation_does_not_change_the_gradients_of_a_4_bit_model(tiny_model: Path, rows: Rows) -> None:
    model = four_bit_model_with_adapter(tiny_model)
    pairs = gradients_around_an_evaluation(model, torch.tensor(rows.tokens[:1]["input_ids"]))
    assert all(torch.equal(before, after) for before, after in pairs)


@pytest.mark.usefixtures("avx512bf16")
@pytest.mark.filterwarnings("ignore:bitsandbytes..gemv_4bit")
def test_without_the_guard_bitsandbytes_loses_gradients(tiny_model: Path, rows: Rows) -> None:
    """When this fails, bitsandbytes is mended and `keep_gradients_on_cpu` can go."""
    model = four_bit_model_with_adapter(tiny_model)
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = True
    pairs = gradients_around_an_evaluation(model, torch.tensor(rows.tokens[:1]["input_ids"]))
    assert any(not torch.allclose(before, after, rtol=0.1) for before, after in pairs)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_rows_do_not_see_each_other(tiny_model: Path, rows: Rows, attention: str) -> None:
    model = load_base(tiny_model, "float32", attention=attention).eval()
    first, second = rows.tokens[:2]["input_ids"]
    packed = torch.tensor([first + second])
    positions = torch.tensor([[*range(len(first)), *range(len(second))]])
    with torch.no_grad():
        apart = torch.cat([model(input_ids=torch.tensor([each])).logits[0] for each in (first, second)])
        together = model(input_ids=packed, position_ids=positions, use_cache=False).logits[0]
        mixed = model(input_ids=packed, use_cache=False).logits[0]
    assert torch.allclose(together, apart, atol=1e-4)
    assert not torch.allclose(mixed, apart, atol=1e-2), "without position ids they do, so this test can fail"


def test_only_answers_are_projected_onto_the_vocabulary(
    tiny_model: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    projected = []
    original = trl.trainer.utils._ChunkedLogProbFunction

    class Counting:
        @staticmethod
        def apply(hidden: torch.Tensor, *rest: Any) -> Any:
            projected.append(len(hidden))
            return original.apply(hidden, *rest)

    monkeypatch.setattr(trl.trainer.utils, "_ChunkedLogProbFunction", Counting)
    model = load_base(tiny_model, "float32")
    trl.trainer.utils.add_fused_lm_head(model)
    row = rows.tokens[0]
    inputs = {key: torch.tensor([row[key]]) for key in ("input_ids", "labels")}
    answer = sum(label != IGNORED for label in row["labels"])

    monkeypatch.setattr(trl.trainer.utils, "_use_triton", lambda device: False)
    loss_of_all = model(**inputs, fused_lm_head=True).loss
    score_answers_only()
    loss_of_answers = model(**inputs, fused_lm_head=True).loss

    assert projected == [len(row["input_ids"]) - 1, answer]
    assert torch.allclose(loss_of_all, loss_of_answers)


def test_base_models_that_cannot_be_trained_are_named(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingProblem, match="holds no model"):
        load_tokenizer(tmp_path)
    load_base(tiny_model, "float32").save_pretrained(tmp_path)
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(TrainingProblem, match="chat_template"):
        load_tokenizer(tmp_path)


def test_an_adapter_on_the_output_layer_is_refused(tiny_model: Path) -> None:
    with pytest.raises(TrainingProblem, match="lm_head"):
        adapter_config(TrainingSettings(lora_targets="q_proj,lm_head"), load_base(tiny_model, "float32"))
