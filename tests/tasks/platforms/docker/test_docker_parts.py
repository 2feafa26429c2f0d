"""What needs no engine: names of builds, arguments of engines, errors, and the program that ends a container."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from docker.errors import APIError, ImageNotFound
from requests import Response

from finetune_flows.tasks.base.errors import EnvironmentProblem, FinetuneError, TryLater
from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels
from finetune_flows.tasks.platforms.docker import images, serving
from finetune_flows.tasks.platforms.docker.engine import engine_errors
from finetune_flows.tasks.retrying import worth_retrying
from finetune_flows.tasks.sections.platforms import DockerPlatform
from finetune_flows.tasks.sections.stages import ServingSection

DEADLINE = Path("containers/deadline.py")


def api_error(status: int, words: str) -> APIError:
    response = Response()
    response.status_code = status
    return APIError("it failed", response, words)


@pytest.mark.parametrize(
    ("error", "ours", "words"),
    [
        (api_error(500, 'could not select device driver "" with capabilities: [[gpu]]'), EnvironmentProblem, "NVIDIA"),
        (api_error(400, "Unknown runtime specified nvidia"), EnvironmentProblem, "NVIDIA"),
        (api_error(500, "write /x: no space left on device"), EnvironmentProblem, "docker system df"),
        (api_error(500, "Bind for 127.0.0.1:1 failed: port is already allocated"), TryLater, "port"),
        (api_error(500, "something else"), TryLater, "something else"),
        (api_error(400, "bind source path does not exist"), EnvironmentProblem, "bind source"),
        (ImageNotFound("no", None, "No such image: a:b"), EnvironmentProblem, "a:b"),
        (requests.exceptions.ConnectionError("gone"), TryLater, "went away"),
        (requests.exceptions.ChunkedEncodingError("cut"), TryLater, "went away"),
    ],
)
def test_errors_of_the_engine_say_what_to_do_and_whether_to_try_again(
    error: Exception, ours: type[FinetuneError], words: str
) -> None:
    with pytest.raises(ours, match=words) as caught, engine_errors("starting it"):
        raise error
    assert worth_retrying(caught.value) is (ours is TryLater)


def test_a_build_is_named_by_what_goes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = images.context_files("training")
    assert {"containers/training/Dockerfile", "training/__main__.py", "training/templates/chatml.jinja"} <= files.keys()
    assert not [name for name in files if "__pycache__" in name or name.startswith(("tests", "tasks", "flows"))]
    changed = tmp_path / "changed.py"
    changed.write_text("changed")
    names = {
        images._digest(files, "python:3.11-slim"),
        images._digest(files, "python:3.12-slim"),
        images._digest({**files, "training/__main__.py": changed}, "python:3.11-slim"),
    }
    assert len(names) == 3


def test_an_index_with_a_password_never_gets_into_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@packages.example/simple")
    with pytest.raises(EnvironmentProblem, match="PIP_INDEX_URL contains a password") as caught:
        images.pip_settings()
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "image", "command"),
    [
        (DockerPlatform(), None, ["serve"]),
        (
            DockerPlatform(serving_engine="vllm"),
            "vllm/vllm-openai:v0.32.0",
            "--model /opt/ml/model --served-model-name model --dtype bfloat16 --max-model-len 2048 --max-num-seqs 16 "
            "--host 0.0.0.0 --port 8080",
        ),
        (
            DockerPlatform(serving_engine="tgi", serving_image="tgi:3"),
            "tgi:3",
            "--model-id /opt/ml/model --dtype bfloat16 --max-total-tokens 2048 --max-input-tokens 2047 "
            "--max-concurrent-requests 16 --hostname 0.0.0.0 --port 8080",
        ),
    ],
)
def test_what_each_engine_is_told(section: DockerPlatform, image: str | None, command: list[str] | str) -> None:
    settings = ServingSection(dtype="bfloat16", max_batch_size=16, max_model_length=2048)
    labels = Labels(recipe="r", step_key="k", flow_run="f", expires_at="2030-01-01T00:00:00Z")  # type: ignore[arg-type]
    spec = EndpointSpec(name="r", model=Path("m"), model_digest="d", serving=settings, labels=labels)
    plan = serving.plan(section, spec)
    assert (plan.image, plan.command) == (image, command.split() if isinstance(command, str) else command)


def run_until(deadline: float, tmp_path: Path, program: str, grace: float = 5) -> "subprocess.Popen[bytes]":
    (tmp_path / "deadline").write_text(str(deadline))
    command = [sys.executable, str(DEADLINE), str(tmp_path / "deadline"), str(grace), sys.executable, "-c", program]
    return subprocess.Popen(command)


def test_a_command_keeps_its_exit_code(tmp_path: Path) -> None:
    assert run_until(time.time() + 60, tmp_path, "raise SystemExit(7)").wait() == 7


def test_a_command_is_ended_at_its_deadline_even_if_it_will_not(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    assert run_until(time.time() + 0.5, tmp_path, stubborn, grace=1).wait(timeout=30) == 124


def test_a_deadline_can_be_moved(tmp_path: Path) -> None:
    process = run_until(time.time() + 1, tmp_path, "import time; time.sleep(3); raise SystemExit(7)")
    (tmp_path / "deadline").write_text(str(time.time() + 60))
    assert process.wait(timeout=30) == 7


def test_a_signal_reaches_the_command(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    process = run_until(time.time() + 60, tmp_path, program)
    while not ready.exists():
        time.sleep(0.02)
    process.terminate()
    assert process.wait(timeout=30) == 5
