"""Real servers, each a process of its own, with a tiny model whose answers depend on every token of the prompt."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from tests.serving.running_server import Server
from tests.support.tiny_model import tiny_tokenizer

torch.set_num_threads(1)  # models this small only lose by more


def lively_model(folder: Path, window: int) -> Path:
    """Random weights ten times the usual size: with small ones every prompt gets the same answer, and tests prove nothing."""
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=window,
        initializer_range=0.2,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = LlamaForCausalLM(config)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    model.generation_config = GenerationConfig(eos_token_id=[end, pad], pad_token_id=pad)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root folder of a server; its model has a window of 512 tokens."""
    folder = tmp_path_factory.mktemp("serving")
    lively_model(folder / "model", window=512)
    return folder


@pytest.fixture(scope="session")
def url(root: Path) -> Iterator[str]:
    """A server for many tests."""
    server = Server(root, "serve")
    yield server.wait_until_ready()
    assert server.stop() == 0, server.lines


@pytest.fixture(scope="session")
def patient_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that talks for a long time: a window of 100,000 tokens, and no end token."""
    folder = tmp_path_factory.mktemp("patient")
    model = lively_model(folder / "model", window=100_000)
    generation_config = json.loads((model / "generation_config.json").read_text())
    del generation_config["eos_token_id"]
    (model / "generation_config.json").write_text(json.dumps(generation_config))
    return folder


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
