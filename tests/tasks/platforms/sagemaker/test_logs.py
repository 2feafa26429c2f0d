"""The copy of a job's log: every line once, whoever was killed while it was written."""

import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from finetune_flows.tasks.platforms.sagemaker.logs import JOBS, LogFollower


def put(logs: Any, *lines: str) -> None:
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName=JOBS, logStreamName="job/algo-1", logEvents=events)


@mock_aws
def test_lines_whose_place_was_not_noted_are_not_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill between the two: the lines are in the file, the place in the stream is not."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    logs = boto3.client("logs", region_name="eu-west-1")
    logs.create_log_group(logGroupName=JOBS)
    logs.create_log_stream(logGroupName=JOBS, logStreamName="job/algo-1")
    file, read = tmp_path / "log.txt", list[str]()
    file.write_text("step=0\n", encoding="utf-8")
    put(logs, "step=0", "step=1")
    LogFollower(logs, JOBS, "job/", file).read(read.append)
    put(logs, "step=2")
    with file.open("a", encoding="utf-8") as log:
        log.write("step=2\n")
    LogFollower(logs, JOBS, "job/", file).read(read.append)
    assert file.read_text(encoding="utf-8").splitlines() == read == ["step=0", "step=1", "step=2"]
