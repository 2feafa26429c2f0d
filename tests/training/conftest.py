"""A tiny model and rows, made once, and jobs on them."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import ROOT

os.environ.setdefault("OMP_NUM_THREADS", "1")  # several threads on a shared machine wait for each other
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import pytest

from tests.support.tiny_model import build_tiny_model, write_tiny_dataset


@pytest.fixture(scope="session", autouse=True)
def libraries() -> None:
    """Every training collects garbage several times; what the libraries hold need not be searched each time."""
    import finetune_flows.training.trainer  # noqa: F401

    gc.freeze()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def tiny_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("tiny-rows"), rows=48)


class TinyJobs:
    """Runs jobs on the tiny model, in this process or as the real program."""

    def __init__(self, model: Path, rows: Path, home: Path) -> None:
        self.model = model
        self.rows = rows
        self.home = home

    def folders(self, name: str, rows: Path | None = None, start: Path | None = None) -> Any:
        from finetune_flows.training.contract import Folders

        return Folders.by_hand(rows or self.rows, self.model, self.home / name, start)

    def run(
        self, name: str, stop: Any = None, rows: Path | None = None, start: Path | None = None, **settings: Any
    ) -> dict[str, Any]:
        """Train in this process; returns training.json."""
        from finetune_flows.training.run import run
        from finetune_flows.training.settings import TrainingSettings
        from finetune_flows.training.stopping import StopRequest

        folders = self.folders(name, rows, start)
        run(folders, TrainingSettings(**settings), stop or StopRequest())
        report: dict[str, Any] = json.loads(folders.report.read_text())
        return report

    def start(self, name: str, **settings: Any) -> subprocess.Popen[str]:
        """Start the real program."""
        arguments = ["--dataset", self.rows, "--model", self.model, "--output", self.home / name]
        options = [option for key, value in settings.items() for option in ("--set", f"{key}={value}")]
        command = [sys.executable, "-m", "finetune_flows.training", "train", *map(str, arguments), *options]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def jobs(tiny_model: Path, tiny_rows: Path, tmp_path: Path) -> TinyJobs:
    return TinyJobs(tiny_model, tiny_rows, tmp_path)
