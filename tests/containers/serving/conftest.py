"""Real servers, each a process of its own, with a tiny model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.containers.serving.lively_model import lively_model
from tests.containers.serving.running_server import Server

torch.set_num_threads(1)  # models this small only lose by more


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
