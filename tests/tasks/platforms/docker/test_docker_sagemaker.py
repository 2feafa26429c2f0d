"""SageMaker's emulator with a real engine: the image's own entry point, as SageMaker itself would run it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import JobFailed
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection
from tests.support.quick_work import a_job, an_endpoint
from tests.support.sagemaker.docker_containers import remove_all
from tests.support.sagemaker.emulator import NOTHING, Emulator
from tests.support.sagemaker.images import Image
from tests.tasks.platforms.sagemaker.platform_jobs import IMAGE, runner

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def _in_containers(emulator: Emulator, image: str) -> Iterator[None]:
    emulator.account.images[IMAGE] = Image(tag=image)
    yield
    remove_all(emulator.folder)


def test_a_job_runs_in_a_container_and_its_next_attempt_resumes(emulator: Emulator, tmp_path: Path) -> None:
    platform = runner(tmp_path)
    platform.start_job(a_job(tmp_path, steps="2000").model_copy(update={"name": "r-key-1"}))
    give_up = time.monotonic() + 60
    while not emulator.account.storage.exists(
        "s3://finetune-flows-123456789012-us-east-1/finetune/checkpoints/r-key/step"
    ):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    platform.stop_job("r-key-1")
    lines: list[str] = []
    name = run_job(platform, a_job(tmp_path, steps="1"), lines.append, lines.append)
    assert name == "r-key-2"
    seen = json.loads((platform.job_output(name) / "training.json").read_text())
    assert (seen["arguments"], seen["rows"]) == (["train"], "rows")
    assert seen["started_at"] > 0


def test_an_isolated_container_has_no_network_and_a_failed_one_is_told(emulator: Emulator, tmp_path: Path) -> None:
    platform = runner(tmp_path, network_isolation=True)
    name = run_job(platform, a_job(tmp_path), print, print)
    assert json.loads((platform.job_output(name) / "training.json").read_text())["network"] is False
    with pytest.raises(JobFailed, match="the rows are no good"):
        run_job(
            platform,
            a_job(tmp_path, fail="the rows are no good").model_copy(update={"name": "other", "checkpoints": "other"}),
            print,
            print,
        )


def test_an_endpoint_is_a_container_behind_port_8080(emulator: Emulator, tmp_path: Path) -> None:
    platform = runner(tmp_path)
    endpoint = platform.start_endpoint(an_endpoint(tmp_path))
    with SageMakerConnection(endpoint.url).client(30) as client:
        assert client.post("/v1/chat/completions", json={"question": 1}).json()["asked"] == {"question": 1}
    assert platform.delete_endpoint("r-1")
    assert emulator.holds() == NOTHING
