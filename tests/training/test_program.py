"""The real program, as a platform starts, stops and kills it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from finetune_flows.training import checkpoints
from finetune_flows.training.settings import TrainingSettings
from tests import ROOT

SETTINGS = {"method": "qlora", "lora_dropout": 0.1, "epochs": 10, "batch_size": 4, "checkpoint_every": 4}


def wait_for_step(program: subprocess.Popen[str], step: int) -> None:
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("step=") and int(line.split()[0].removeprefix("step=")) >= step:
            return
    raise AssertionError(f"the program ended before step {step}: {program.stderr.read() if program.stderr else ''}")


def finish(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = program.communicate(timeout=300)
    return program.returncode, out, err


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "adapter" / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def never_killed(tiny_model: Path, tiny_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run makes that nobody disturbs."""
    from finetune_flows.training.contract import Folders
    from finetune_flows.training.run import run
    from finetune_flows.training.stopping import StopRequest

    home = tmp_path_factory.mktemp("never-killed")
    run(Folders.by_hand(tiny_rows, tiny_model, home), TrainingSettings(**SETTINGS), StopRequest())  # type: ignore[arg-type]
    return home


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_very_same_weights(jobs: Any, never_killed: Path) -> None:
    program = jobs.start("job", **SETTINGS)
    wait_for_step(program, 30)
    program.kill()
    program.communicate()
    folders = jobs.folders("job")
    assert not folders.report.exists()
    assert checkpoints.latest(folders.checkpoints) is not None
    code, out, err = finish(jobs.start("job", **SETTINGS))
    assert code == 0, err
    resumed = json.loads(folders.report.read_text())["resumed_from_step"]
    assert 28 <= resumed < 120
    assert f"step={resumed + 1} " in out
    assert f"step={resumed} " not in out
    expected, found = adapter(never_killed), adapter(jobs.home / "job")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_sigterm_leaves_a_checkpoint_and_no_report(jobs: Any, processes: int) -> None:
    settings = SETTINGS | {"checkpoint_every": 10_000, "processes": processes, "epochs": 100}
    program = jobs.start("job", **settings)
    wait_for_step(program, 6)
    program.send_signal(signal.SIGTERM)
    code, out, err = finish(program)
    folders = jobs.folders("job")
    assert code == 0, err
    assert "continues from the last checkpoint" in out
    assert checkpoints.latest(folders.checkpoints) is not None
    assert not folders.report.exists()
    assert not (folders.output / "failure").exists()


def write_job(root: Path, model: Path, rows: Path, hyperparameters: dict[str, str]) -> None:
    data = root / "input" / "data"
    data.mkdir(parents=True)
    (data / "model").symlink_to(model)
    (data / "dataset").symlink_to(rows)
    config = root / "input" / "config"
    config.mkdir()
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))


def run_job(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "finetune_flows.training", "train", "--root", str(root)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_a_job_by_the_contract(tiny_model: Path, tiny_rows: Path, tmp_path: Path) -> None:
    hyperparameters = TrainingSettings(method="lora", max_steps=3).to_hyperparameters()
    write_job(tmp_path, tiny_model, tiny_rows, hyperparameters | {"sagemaker_region": "nowhere"})
    done = run_job(tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "adapter",
        "model",
        "probes.json",
        "training.json",
    }
    assert "gemm_4bit" not in done.stderr
    assert "it/s" not in done.stderr, "no progress bars in a job's log"
    assert all(line.startswith(("chosen ", "step=")) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        ({"epochs": "many"}, "epochs: Input should be a valid number"),
        ({"dtype": "float16"}, "cannot be trained on a CPU"),
        ({"max_length": "32"}, "48 of 48 rows of train.parquet are longer than max_length"),
    ],
)
def test_a_failure_is_left_for_the_platform(
    tiny_model: Path, tiny_rows: Path, tmp_path: Path, hyperparameters: dict[str, str], reason: str
) -> None:
    write_job(tmp_path, tiny_model, tiny_rows, hyperparameters)
    done = run_job(tmp_path)
    failure = (tmp_path / "output" / "failure").read_text()
    assert done.returncode == 1
    assert reason in failure
    assert failure in done.stderr
    assert "Traceback" not in done.stderr, "a problem that the reader can mend needs no trace"


def test_a_failure_of_an_earlier_attempt_is_gone(tiny_model: Path, tiny_rows: Path, tmp_path: Path) -> None:
    write_job(tmp_path, tiny_model, tiny_rows, {"epochs": "many"})
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "failure").write_text("of yesterday")
    run_job(tmp_path)
    assert "yesterday" not in (tmp_path / "output" / "failure").read_text()


@pytest.mark.slow
def test_two_processes_train_one_model(jobs: Any) -> None:
    settings = {"method": "lora", "batch_size": 4, "epochs": 2, "batching": "random", "checkpoint_every": 5}
    code, out, err = finish(jobs.start("job", processes=2, **settings))
    assert code == 0, err
    report = json.loads(jobs.folders("job").report.read_text())
    alone = jobs.run("alone", **{**settings, "batch_size": 8})
    assert report["steps"] == alone["steps"] == 12
    assert report["tokens_trained"] == alone["tokens_trained"]
    assert out.count("step=3 ") == 1, "only the first process speaks"
    for ours, theirs in zip(report["losses"], alone["losses"], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)


@pytest.mark.slow
def test_the_reason_of_a_failed_worker_reaches_the_platform(jobs: Any) -> None:
    code, _, _ = finish(jobs.start("job", processes=2, max_length=32))
    assert code == 1
    assert "longer than max_length" in (jobs.folders("job").output / "failure").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["qlora", "lora"])
def test_sharded_weights_are_trained_saved_and_resumed(jobs: Any, method: str) -> None:
    worker = Path(__file__).with_name("fsdp_worker.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(worker)]
    arguments = [method, str(jobs.rows), str(jobs.model), str(jobs.home / "job")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    folders = jobs.folders("job")

    def train() -> dict[str, Any]:
        subprocess.run([*command, *arguments], check=True, timeout=300, env=environment, capture_output=True)
        return json.loads(folders.report.read_text())  # type: ignore[no-any-return]

    whole = train()
    (folders.checkpoints / "checkpoint-6").rename(folders.checkpoints / "lost")
    resumed = train()
    assert (whole["resumed_from_step"], resumed["resumed_from_step"]) == (None, 3)
    for ours, theirs in zip(resumed["losses"], whole["losses"], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
