"""The platform's endpoints when AWS is at its worst: nothing left, nothing doubled, the old one serves on."""

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from finetune_flows.tasks.base.errors import EndpointFailed, EnvironmentProblem, TryLater
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec
from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection
from tests.support.quick_work import an_endpoint, labels
from tests.support.sagemaker.emulator import NOTHING, Emulator
from tests.tasks.platforms.sagemaker.platform_jobs import runner, section, use_quick_programs


@pytest.fixture(autouse=True)
def _quick(emulator: Emulator) -> None:
    use_quick_programs(emulator)


@pytest.fixture
def spec(tmp_path: Path) -> EndpointSpec:
    return an_endpoint(tmp_path)


def changed(spec: EndpointSpec, digest: str = "d2") -> EndpointSpec:
    """Another model under the same name."""
    folder = spec.model.with_name(f"model-{digest}")
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"digest": digest}))
    (folder / digest).write_text("x")
    return spec.model_copy(update={"model": folder, "model_digest": digest})


def ask(endpoint: Endpoint, **body: object) -> httpx.Response:
    with SageMakerConnection(endpoint.url).client(30) as client:
        return client.post("/v1/chat/completions", json=body)


def test_one_that_serves_is_taken_its_log_is_read_once_and_nothing_of_it_stays(
    emulator: Emulator, spec: EndpointSpec, tmp_path: Path
) -> None:
    platform = runner(tmp_path)
    platform.start_endpoint(spec)
    platform.start_endpoint(spec.model_copy(update={"labels": labels(1200)}))
    assert len(emulator.record.of("CreateEndpoint")) == 1
    log = platform.endpoint_log("r-1")
    assert log.read_text() == platform.endpoint_log("r-1").read_text() == "serving\n", "each line once"
    assert platform.delete_endpoint("r-1")
    assert emulator.holds() == NOTHING


def test_a_failed_ping_shows_the_log_and_leaves_nothing(emulator: Emulator, spec: EndpointSpec, tmp_path: Path) -> None:
    (spec.model / "config.json").rename(spec.model / "other.json")
    with pytest.raises(EndpointFailed, match=r"(?s)did not pass the ping health check.*no model here"):
        runner(tmp_path).start_endpoint(spec)
    assert emulator.holds() == NOTHING


def test_no_capacity_and_no_quota_leave_nothing(emulator: Emulator, spec: EndpointSpec, tmp_path: Path) -> None:
    emulator.faults.out_of_capacity("ml.g5.2xlarge")
    with pytest.raises((EndpointFailed, TryLater), match="InsufficientInstanceCapacity"):
        runner(tmp_path).start_endpoint(spec)
    emulator.account.quotas["ml.g5.2xlarge for endpoint usage"] = 0
    with pytest.raises(EnvironmentProblem, match=r"(?s)ml\.g5\.2xlarge for endpoint usage.*servicequotas"):
        runner(tmp_path).start_endpoint(spec)
    assert emulator.holds() == NOTHING


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint", "DeleteEndpoint"])
def test_lost_and_throttled_calls_make_nothing_twice_and_leave_nothing(
    emulator: Emulator, spec: EndpointSpec, tmp_path: Path, operation: str
) -> None:
    emulator.faults.throttle(operation)
    emulator.faults.lose_response(operation)
    platform = runner(tmp_path)
    ask(platform.start_endpoint(spec)).raise_for_status()
    assert [len(names) for names in emulator.holds().values()] == [1, 1, 1, 0]
    assert platform.delete_endpoint("r-1")
    assert emulator.holds() == NOTHING


CHILD = """
import sys, time
from pathlib import Path
from finetune_flows.tasks.platforms.contract import EndpointSpec
from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner
from finetune_flows.tasks.recipe import SageMakerPlatform
section, spec = SageMakerPlatform.model_validate_json(sys.argv[1]), EndpointSpec.model_validate_json(sys.argv[2])
SageMakerRunner(section, Path(sys.argv[3]), sleep=lambda _: time.sleep(0.05)).start_endpoint(spec)
"""


def test_one_who_is_interrupted_while_it_comes_up_leaves_nothing(
    emulator: Emulator, spec: EndpointSpec, tmp_path: Path
) -> None:
    emulator.faults.slow_states(3)
    arguments = [section().model_dump_json(), spec.model_dump_json(), str(tmp_path / "sagemaker")]
    reset = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    process = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], preexec_fn=reset, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 60
    while not emulator.holds()["endpoints"]:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert emulator.holds() == NOTHING


def test_another_model_takes_over_without_one_request_lost(
    emulator: Emulator, spec: EndpointSpec, tmp_path: Path
) -> None:
    platform = runner(tmp_path)
    endpoint = platform.start_endpoint(spec)
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            answer = ask(endpoint)
            seen.append((answer.status_code, len(answer.json()["model"])))

    client = threading.Thread(target=keep_asking)
    client.start()
    after = platform.start_endpoint(changed(spec))
    time.sleep(0.5)
    done.set()
    client.join()
    assert (after.url, after.model_digest) == (endpoint.url, "d2")
    assert {status for status, _ in seen} == {200}
    assert [files for _, files in seen] == sorted(files for _, files in seen), "first the old model, then the new one"
    assert {files for _, files in seen} == {1, 2}
    assert [len(names) for names in emulator.holds().values()] == [1, 1, 1, 0], "the parts of the old one are gone"
    assert platform.endpoints() == [after]


def test_an_update_that_does_not_come_up_is_turned_back(emulator: Emulator, spec: EndpointSpec, tmp_path: Path) -> None:
    platform = runner(tmp_path)
    before = platform.start_endpoint(spec)
    emulator.faults.fail_health_check()
    with pytest.raises(EndpointFailed, match=r"(?s)ping health check.*still serves"):
        platform.start_endpoint(changed(spec))
    assert ask(before).json()["model"] == ["config.json"]
    assert [len(names) for names in emulator.holds().values()] == [1, 1, 1, 0], "nothing of the new one is left"
    assert platform.endpoints() == [before]


def test_sweep_leaves_what_is_not_its_own(emulator: Emulator, spec: EndpointSpec, tmp_path: Path) -> None:
    runner(tmp_path).start_endpoint(spec)
    other = runner(tmp_path, prefix="another")
    assert other.sweep(datetime.now(UTC) + timedelta(seconds=9000)) == [], (
        "what lies under another prefix is not its own"
    )
    assert emulator.holds()["endpoints"] == ["r-1"]
