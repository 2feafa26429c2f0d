"""Merging: what is saved answers as what was trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model

from finetune_flows.training.adapter import adapter_config
from finetune_flows.training.checks import Probe, answer_logits, answer_loss, check_agreement, probes
from finetune_flows.training.data import read_rows
from finetune_flows.training.merge import Source, merge, with_adapter
from finetune_flows.training.model import load_base
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings
from tests.support.tiny_model import tiny_tokenizer


@pytest.fixture(scope="module")
def asked(tiny_rows: Path) -> list[Probe]:
    rows = read_rows(tiny_rows, "validation", tiny_tokenizer(), 512)
    assert rows is not None
    return probes(rows, 4)


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that changes the answers visibly."""
    torch.manual_seed(1)
    base = load_base(tiny_model, "float32")
    model = get_peft_model(base, adapter_config(TrainingSettings(), base))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    return folder


def source(tiny_model: Path, adapter: Path, four_bit: bool = True, dtype: str = "float32") -> Source:
    return Source(tiny_model, adapter, dtype, four_bit, device="cpu")


def test_the_adapter_does_something(tiny_model: Path, adapter: Path, asked: list[Probe]) -> None:
    adapted = with_adapter(source(tiny_model, adapter), "reload")
    with pytest.raises(TrainingProblem, match="does not answer as the trained one"):
        check_agreement(
            load_base(tiny_model, "float32"), asked, [answer_logits(adapted, each) for each in asked], "float32"
        )


@pytest.mark.parametrize("way", ["reload", "dequantize"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_merged_model_answers_as_the_adapter_did(
    tiny_model: Path, adapter: Path, asked: list[Probe], tmp_path: Path, way: str, dtype: str
) -> None:
    merged = merge(source(tiny_model, adapter, dtype=dtype), way, asked, can_judge=True)
    merged.model.save_pretrained(tmp_path)
    reloaded = load_base(tmp_path, dtype)
    assert not getattr(reloaded.config, "quantization_config", None)
    agreement = check_agreement(reloaded, asked, merged.references, dtype)
    assert agreement["same_next_token"] > 0.95


def test_the_references_of_dequantize_are_the_adapter_on_the_4_bit_base(
    tiny_model: Path, adapter: Path, asked: list[Probe]
) -> None:
    base = load_base(tiny_model, "float32", four_bit=True)
    trained = PeftModel.from_pretrained(base, adapter).eval()
    merged = merge(source(tiny_model, adapter), "dequantize", asked, can_judge=True)
    expected = [answer_logits(trained, each) for each in asked]
    assert all(torch.allclose(ours, theirs) for ours, theirs in zip(merged.references, expected, strict=True))


@pytest.mark.filterwarnings("ignore:Merge lora module to 4-bit")
def test_merging_into_the_4_bit_weights_is_noticed(tiny_model: Path, adapter: Path, asked: list[Probe]) -> None:
    trained: Any = with_adapter(source(tiny_model, adapter), "dequantize")
    references = [answer_logits(trained, each) for each in asked]
    in_place = trained.merge_and_unload()
    with pytest.raises(TrainingProblem, match="does not answer as the trained one"):
        check_agreement(in_place, asked, references, "float32")


def test_auto_takes_the_way_with_the_lower_loss(tiny_model: Path, adapter: Path, asked: list[Probe]) -> None:
    merged = merge(source(tiny_model, adapter), "auto", asked, can_judge=True)
    assert set(merged.losses) == {"reload", "dequantize"}
    assert merged.losses[merged.way] == min(merged.losses.values())
    assert answer_loss(merged.model, asked)[0] == pytest.approx(merged.losses[merged.way], abs=1e-4)


def test_auto_without_rows_to_judge_by_keeps_the_weights_that_were_trained_on(
    tiny_model: Path, adapter: Path, asked: list[Probe]
) -> None:
    merged = merge(source(tiny_model, adapter), "auto", asked, can_judge=False)
    assert (merged.way, merged.losses) == ("dequantize", {})


def test_what_was_never_quantised_is_not_dequantised(tiny_model: Path, adapter: Path, asked: list[Probe]) -> None:
    assert merge(source(tiny_model, adapter, four_bit=False), "auto", asked, can_judge=True).way == "reload"
    with pytest.raises(TrainingProblem, match="for qlora"):
        merge(source(tiny_model, adapter, four_bit=False), "dequantize", asked, can_judge=True)
