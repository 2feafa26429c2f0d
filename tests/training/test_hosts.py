"""Several machines train one model: each runs the real program with a root of its own, and they meet at the first one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.training.contract import Hosts, read_settings
from tests import ROOT

NAMES = ["127.0.0.1", "127.0.0.2"]
SETTINGS = {"method": "lora", "batch_size": 4, "epochs": 1, "batching": "random", "checkpoint_every": 3}


def lay_out(root: Path, host: str, settings: dict[str, object], model: Path, rows: Path) -> Path:
    config = root / "input" / "config"
    config.mkdir(parents=True)
    (root / "input" / "data").mkdir()
    (root / "input" / "data" / "model").symlink_to(model)
    (root / "input" / "data" / "dataset").symlink_to(rows)
    (config / "hyperparameters.json").write_text(json.dumps({name: str(value) for name, value in settings.items()}))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": NAMES}))
    return root


def start(root: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "finetune_flows.training", "train", "--root", str(root)]
    environment = os.environ | {"TRAINING_JOB_NAME": "one-job"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
def test_two_machines_train_one_model(jobs: Any, tiny_model: Path, tiny_rows: Path, tmp_path: Path) -> None:
    roots = [lay_out(tmp_path / name, name, SETTINGS, tiny_model, tiny_rows) for name in NAMES]
    programs = [start(root) for root in reversed(roots)]  # the one that waits for the other comes first
    outputs = [program.communicate(timeout=300)[0] for program in programs]
    assert [program.returncode for program in programs] == [0, 0], outputs
    report = json.loads((roots[0] / "model" / "training.json").read_text())
    alone = jobs.run("alone", **{**SETTINGS, "batch_size": 8})
    assert report["steps"] == alone["steps"]
    assert report["tokens_trained"] == alone["tokens_trained"]
    assert not (roots[1] / "model" / "training.json").exists(), "only the first machine writes the model"


def test_a_job_that_is_told_nothing_is_alone(tmp_path: Path) -> None:
    assert Hosts.of_job(tmp_path).names == ("localhost",)
    assert Hosts.of_job(tmp_path).rank == 0


def test_machines_agree_on_their_order(tmp_path: Path) -> None:
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-2", "algo-1"]}))
    assert Hosts.of_job(tmp_path) == Hosts(("algo-1", "algo-2"), "algo-1")
    assert Hosts.of_job(tmp_path).rank == 0


def test_settings_that_the_platform_cannot_carry_come_by_a_channel(tmp_path: Path) -> None:
    config, channel = tmp_path / "input" / "config", tmp_path / "input" / "data" / "settings"
    config.mkdir(parents=True)
    channel.mkdir(parents=True)
    (config / "hyperparameters.json").write_text('{"epochs": "2"}')
    names = ",".join(f"layer_{number}" for number in range(500))
    (channel / "hyperparameters.json").write_text(json.dumps({"lora_targets": names}))
    settings = read_settings(config / "hyperparameters.json", [])
    assert settings.epochs == 2
    assert settings.lora_targets == names
