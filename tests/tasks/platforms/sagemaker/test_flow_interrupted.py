"""A flow as a command, killed while its job runs: what was paid for is used, nothing is paid for twice."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flows.conftest import content, home, prefect_server, tiny_model
from tests.flows.test_interruptions import finish, start, wait_for
from tests.support.sagemaker.emulator import NOTHING, Emulator

pytestmark = pytest.mark.slow
__all__ = ["content", "home", "prefect_server", "tiny_model"]


@pytest.fixture
def file(tmp_path: Path, content: dict[str, Any], emulator: Emulator) -> Path:
    content["training"] |= {"max_steps": 60, "checkpoint_every": 5}
    content["platform"] = {"kind": "sagemaker"}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def steps_done(emulator: Emulator) -> int:
    lines = emulator.log("/aws/sagemaker/TrainingJobs")
    return sum(line.startswith("step=") for line in lines)


def report(outcome: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(outcome["model"]["uri"]) / "training.json").read_text())
    return content


def test_a_flow_killed_in_the_wait_finds_its_one_job_again(emulator: Emulator, home: Path, file: Path) -> None:
    flow = start(file)
    wait_for(lambda: steps_done(emulator) >= 1, flow)
    os.killpg(flow.pid, signal.SIGKILL)
    flow.wait()
    outcome = finish(file)
    assert outcome["promoted"]
    assert len(emulator.record.of("CreateTrainingJob")) == len(emulator.jobs.table.rows) == 1
    assert report(outcome)["resumed_from_step"] in (0, None)


def test_an_interrupted_flow_stops_its_job_and_the_next_goes_on_from_its_checkpoint(
    emulator: Emulator, home: Path, file: Path
) -> None:
    flow = start(file)
    wait_for(lambda: steps_done(emulator) >= 12, flow)
    flow.send_signal(signal.SIGINT)
    flow.communicate(timeout=180)
    assert flow.returncode != 0
    assert [job.status for job in emulator.jobs.table.rows.values()] == ["Stopped"]
    assert emulator.holds() == NOTHING
    outcome = finish(file)
    assert outcome["promoted"]
    assert [job.status for job in emulator.jobs.table.rows.values()] == ["Stopped", "Completed"]
    assert report(outcome)["resumed_from_step"] >= 12
