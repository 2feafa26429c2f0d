"""Weights in fewer bits: the rest of the folder stays as it is, and readers read it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MixtralConfig, MixtralForCausalLM

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.exporting import safetensors
from finetune_flows.tasks.exporting.export import export
from finetune_flows.tasks.exporting.subject import find_subject
from finetune_flows.training.number_types import cast
from tests.support.tiny_model import build_tiny_model


def test_every_weight_is_cast_and_the_rest_is_copied(tmp_path: Path) -> None:
    source, folder = build_tiny_model(tmp_path / "tiny"), tmp_path / "out"
    folder.mkdir()
    cast(source, folder, torch.bfloat16)
    before, after = load_file(source / "model.safetensors"), load_file(folder / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], tensor.to(torch.bfloat16)) for name, tensor in before.items())
    config = json.loads((folder / "config.json").read_text())
    assert (config.pop("dtype"), config.pop("torch_dtype")) == ("bfloat16", "bfloat16")
    assert config == {k: v for k, v in json.loads((source / "config.json").read_text()).items() if k not in ("dtype", "torch_dtype")}  # fmt: skip
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (folder / name).read_bytes() == (source / name).read_bytes()


def test_a_weight_that_is_too_large_for_the_type_is_named(tmp_path: Path) -> None:
    source, folder = build_tiny_model(tmp_path / "tiny"), tmp_path / "out"
    folder.mkdir()
    tensors = load_file(source / "model.safetensors")
    tensors["model.norm.weight"][3] = 70000
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SystemExit, match=r"model\.norm\.weight has a value of 70000, and torch\.float16 ends at 65504"):
        cast(source, folder, torch.float16)


@pytest.mark.slow
def test_linear_layers_have_8_bits_and_are_read(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_HOME", str(tools))
    subject = find_subject(str(build_tiny_model(tmp_path / "tiny")))
    result = export(subject, "safetensors", "fp8", tmp_path / "out", 0, lambda done, total: None)
    assert result.number_type == "fp8"
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert {str(t.dtype) for name, t in tensors.items() if name.endswith("proj.weight")} == {"torch.float8_e4m3fn"}
    assert tensors["model.embed_tokens.weight"].dtype == torch.float32
    rows = [TestRow(id="a", prompt=[{"role": "user", "content": "How many ships?"}], fields={})]
    with safetensors.serve(subject, tmp_path / "out", 256) as connection, connection.client(120) as client:
        assert len(safetensors.prompt_ids(connection, rows)[0]) > 5
        reply = client.post("/v1/chat/completions", json={"messages": rows[0].prompt, "max_tokens": 4}).json()
    assert reply["usage"]["completion_tokens"] > 0


@pytest.mark.slow
def test_experts_are_refused(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_HOME", str(tools))
    config = MixtralConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=4,
    )  # fmt: skip
    MixtralForCausalLM(config).save_pretrained(tmp_path / "experts")
    with pytest.raises(EnvironmentProblem, match=r"only \d+% of its weights are in linear layers"):
        export(
            find_subject(str(tmp_path / "experts")), "safetensors", "fp8", tmp_path / "out", 0, lambda done, total: None
        )
    assert not (tmp_path / "out").exists()
