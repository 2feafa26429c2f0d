"""Killed, interrupted, cancelled: the same command carries on, and nothing is done or asked twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from finetune_flows.tasks.platforms.local import detached
from finetune_flows.tasks.platforms.process import ProcessRunner

pytestmark = pytest.mark.slow


def command(recipe: Path, *overrides: str) -> list[str]:
    settings = [part for override in overrides for part in ("--set", override)]
    return [sys.executable, "-m", "finetune_flows.flows.cli", "run", str(recipe), "--json", *settings]


def start(recipe: Path, *overrides: str) -> "subprocess.Popen[str]":
    # Its own session, as a terminal's job has its own group: signals meant for it do not reach pytest.
    # A test run that was started in the background ignores SIGINT, and its children would inherit that.
    return subprocess.Popen(
        command(recipe, *overrides),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(recipe: Path, *overrides: str) -> dict[str, Any]:
    result = subprocess.run(command(recipe, *overrides), capture_output=True, text=True, check=False, timeout=500)
    assert result.returncode == 0, result.stderr
    outcome: dict[str, Any] = json.loads(result.stdout)
    return outcome


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]", seconds: float = 300) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.02)


def job_folders(home: Path) -> list[Path]:
    return sorted((home / "jobs").glob("*"))


def steps_done(home: Path) -> int:
    logs = [folder / "log.txt" for folder in job_folders(home)]
    return sum(line.startswith("step=") for log in logs if log.exists() for line in log.read_text().splitlines())


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def file(tmp_path: Path, content: dict[str, Any]) -> Path:
    content["training"] |= {"max_steps": 60, "checkpoint_every": 5}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def weights(outcome: dict[str, Any]) -> bytes:
    return (Path(outcome["model"]["uri"]) / "model" / "model.safetensors").read_bytes()


def test_everything_killed_in_training_then_resumed_ends_with_the_same_weights(
    home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = start(file)
    wait_for(lambda: steps_done(home) >= 12, flow)
    os.killpg(flow.pid, signal.SIGKILL)
    os.killpg(int((job_folders(home)[0] / "group").read_text()), signal.SIGKILL)
    resumed = finish(file)
    assert [folder.name[-2:] for folder in job_folders(home)] == ["-1", "-2"]
    report = json.loads((Path(resumed["model"]["uri"]) / "training.json").read_text())
    assert report["resumed_from_step"] == 10
    assert report["steps"] == 60

    monkeypatch.setenv("FINETUNE_HOME", str(home.parent / "another home"))
    assert weights(finish(file)) == weights(resumed)


def processes(home: Path, flow: "subprocess.Popen[str]") -> list[psutil.Process]:
    """All processes of this home: the command, Prefect's server, the job, the servers and their supervisors."""
    running = [p for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])]
    return [psutil.Process(flow.pid), *(process for process in running if process.pid != flow.pid)]


@pytest.mark.timeout(1800)
def test_a_closed_laptop_and_a_restarted_machine_lead_to_the_same_model_by_the_same_command(
    home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL")  # with a server of its own, which is struck too
    monkeypatch.setenv("PREFECT_HOME", str(home.parent / "prefect"))
    flow = start(file)
    wait_for(lambda: steps_done(home) >= 12, flow)
    every = processes(home, flow)
    assert len(every) >= 4
    for process in every:
        process.suspend()
    time.sleep(20)
    assert steps_done(home) < 60
    for process in every:
        process.resume()
    wait_for(lambda: steps_done(home) >= 30, flow)  # it went on by itself
    for process in processes(home, flow):
        process.kill()
    flow.wait(60)
    outcome = finish(file)
    assert [folder.name[-2:] for folder in job_folders(home)] == ["-1", "-2"]
    stop_everything(home)
    monkeypatch.setenv("FINETUNE_HOME", str(home.parent / "another home"))
    assert weights(finish(file)) == weights(outcome)
    stop_everything(home.parent / "another home")


def stop_everything(home: Path) -> None:
    runner = ProcessRunner(root=home)
    for endpoint in runner.endpoints():
        runner.delete_endpoint(endpoint.name)
    for process in psutil.process_iter(["cmdline"]):
        if str(home) in " ".join(process.info["cmdline"] or []):
            process.kill()


def test_a_killed_flow_finds_its_running_job(home: Path, file: Path) -> None:
    flow = start(file)
    wait_for(lambda: steps_done(home) >= 1, flow)
    os.killpg(flow.pid, signal.SIGKILL)
    assert detached.is_running(job_folders(home)[0]), "the job outlives the flow"
    finish(file)
    assert len(job_folders(home)) == 1, "it was attached to, not started again"


def test_an_interrupted_flow_stops_its_job_and_says_how_to_carry_on(
    home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL")  # with a server of its own, which Ctrl-C must not reach
    flow = start(file)
    wait_for(lambda: steps_done(home) >= 6, flow)
    os.killpg(flow.pid, signal.SIGINT)  # as a terminal does, to all processes of the command
    _, told = flow.communicate(timeout=120)
    assert flow.returncode == 130
    assert "finetune: stopping" in told
    assert "writes a checkpoint" in told
    assert told.splitlines()[-1].endswith(f"To carry on: finetune run {file} --json")
    assert "Traceback" not in told
    assert "EventsWorker" not in told
    (server,) = (home / "prefect").glob("*/server.json")
    psutil.Process(json.loads(server.read_text())["pid"]).kill()
    folder = job_folders(home)[0]
    assert not detached.is_running(folder)
    assert detached.ending(folder).exit_code == 0, "it wrote a checkpoint and ended in good order"  # type: ignore[union-attr]
    assert list((home / "checkpoints").glob("*/*"))
    ours = [p for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])]
    assert ours == []


def test_killed_in_the_evaluation_no_answered_row_is_asked_again(
    home: Path, file: Path, content: dict[str, Any]
) -> None:
    content["evaluation"] |= {"rows": 8, "concurrency": 1, "max_new_tokens": 64}
    content["training"] |= {"max_steps": 2}
    file.write_text(yaml.safe_dump(content))
    flow = start(file)
    answers = lambda: [p for p in (home / "predictions").rglob("*.jsonl") if p.read_text().count("\n") >= 3]  # noqa: E731
    wait_for(lambda: bool(answers()), flow)
    os.killpg(flow.pid, signal.SIGKILL)
    path = answers()[0]
    kept = path.read_text().splitlines()
    outcome = finish(file)
    now = path.read_text().splitlines()
    assert now[: len(kept) - 1] == kept[:-1], "answers, with the time they were asked at, stand as they were"
    assert len(set(ids(path))) == len(ids(path)) == 8
    assert outcome["promoted"]
