"""A finished job reads its model with another transformers, and stops when that reads something else."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.training import portable
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.readers import find_readers
from tests.support.smol_model import build_smol_model
from tests.support.tiny_model import build_tiny_model
from tests.support.transformers4 import PACKAGES, transformers_4
from tests.training.conftest import TinyJobs

VERSION = PACKAGES[0].replace("==", " ")


@pytest.fixture
def far_base(tiny_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyJobs:
    """Jobs on a model whose rotary base is not the default, with transformers 4 as a reader."""
    model = build_tiny_model(tmp_path / "base")
    config = json.loads((model / "config.json").read_text())
    config["rope_parameters"]["rope_theta"] = 500.0
    (model / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("FINETUNE_READERS", transformers_4())
    return TinyJobs(model, tiny_rows, tmp_path)


def test_a_model_is_read_by_transformers_4(far_base: Any) -> None:
    report = far_base.run("job", method="lora", max_steps=1)
    (found,) = report["checks"]["readers"]
    assert found["reader"] == VERSION
    assert found["same_ids"]
    assert found["largest_difference"] <= 1e-3


def test_a_model_that_is_read_differently_ends_the_job(far_base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "complete_config", lambda folder: None)  # as transformers 5 alone would save it
    with pytest.raises(TrainingProblem, match=f"{VERSION} .* reads the saved model differently: a logit differs by"):
        far_base.run("job", method="lora", max_steps=1)
    assert not far_base.folders("job").report.exists()


def test_without_a_reader_nothing_is_tried(jobs: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv("FINETUNE_READERS", raising=False)
    assert jobs.run("job", method="lora", max_steps=1)["checks"]["readers"] == []
    assert "FINETUNE_READERS names no interpreter" in capsys.readouterr().out


def test_an_interpreter_that_cannot_read_is_named(jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_READERS", "/nowhere/python")
    (reader,) = find_readers()
    assert reader.version is None
    (found,) = jobs.run("job", method="lora", max_steps=1)["checks"]["readers"]
    assert found["reader"] == "/nowhere/python"
    assert "No such file" in found["skipped"]


LLAMA_CPP = os.environ.get("LLAMA_CPP_PYTHON", "")


@pytest.mark.slow
@pytest.mark.skipif(
    not LLAMA_CPP, reason="LLAMA_CPP_PYTHON names no interpreter with llama-cpp-python and its converter"
)
def test_a_model_is_read_by_llama_cpp(tiny_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_READERS", LLAMA_CPP)
    jobs = TinyJobs(build_smol_model(tmp_path / "base"), tiny_rows, tmp_path)
    found = jobs.run("job", method="lora", max_steps=1)["checks"]["readers"][-1]
    assert found["reader"].startswith("llama.cpp ")
    assert found["same_ids"]
    assert found["largest_difference"] <= 1e-3


@pytest.mark.slow
@pytest.mark.skipif(
    not LLAMA_CPP, reason="LLAMA_CPP_PYTHON names no interpreter with llama-cpp-python and its converter"
)
def test_a_model_that_llama_cpps_converter_refuses_is_skipped(jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_READERS", LLAMA_CPP)
    found = jobs.run("job", method="lora", max_steps=1)["checks"]["readers"][-1]
    assert "its converter refuses the model: " in found["skipped"]
