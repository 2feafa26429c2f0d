"""`finetune push`, run as a user runs it, against a double of the hub."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub import TOKEN, Hub, hub


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder. Its weights are never read, only sent."""
    folder = tmp_path_factory.mktemp("ships")
    for name, content in {
        "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
        "model.safetensors": bytes(range(256)) * 40,
        "tokenizer.json": b"{}",
        "README.md": b"---\ntags: [finetune-flows]\n---\n# Ships\n",
    }.items():
        (folder / name).write_bytes(content)
    return folder


def push(there: Hub, model: Path, *options: str, token: str | None = TOKEN) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    # Without xet, the client sends large files as Git LFS does, which a double can receive.
    environment |= {"HF_ENDPOINT": there.url, "HF_HUB_DISABLE_XET": "1", "FINETUNE_HOME": str(model.parent / "home")}
    environment |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "finetune_flows.flows.cli", "push", str(model), "fleet/ships", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_repository_is_private_and_holds_the_model_and_its_card(model: Path) -> None:
    with hub() as there:
        result = push(there, model)
        assert result.returncode == 0, result.stderr
        assert f"Pushed to {there.url}/fleet/ships" in result.stdout
        assert there.private == {"fleet/ships": True}
        assert there.files["fleet/ships"] == {path.name: path.read_bytes() for path in model.iterdir()}
        assert TOKEN not in result.stdout + result.stderr


def test_a_dry_run_asks_nobody_and_needs_no_token(model: Path) -> None:
    with hub() as there:
        result = push(there, model, "--dry-run", token=None)
        assert result.returncode == 0, result.stderr
        assert "README.md" in result.stdout
        assert "to fleet/ships, private" in result.stdout
        assert there.private == {}


def test_nothing_goes_into_a_public_repository_unless_asked(model: Path) -> None:
    with hub() as there:
        there.private["fleet/ships"] = False
        refused = push(there, model)
        assert refused.returncode == 1
        assert "everybody can read it" in refused.stderr
        assert there.files == {}
        assert push(there, model, "--public").returncode == 0
        assert "model.safetensors" in there.files["fleet/ships"]


def test_a_refused_token_is_not_repeated(model: Path) -> None:
    wrong = "hf_a_wrong_token"
    with hub() as there:
        result = push(there, model, token=wrong)
        assert result.returncode == 1
        assert "cannot push to fleet/ships" in result.stderr
        assert "Traceback" not in result.stderr
        assert wrong not in result.stdout + result.stderr
        assert there.private == {}
