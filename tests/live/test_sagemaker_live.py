"""The finetune flow on a real AWS account. It costs money, so it is off unless it is asked for by name:

    FINETUNE_LIVE=1 pytest -m live tests/live

Needs credentials, a region, what `finetune setup aws` makes, and a quota of one ml.g5.2xlarge for training and one for
endpoints. FINETUNE_LIVE_MAX_USD (default 5) caps the estimate of each run; a run that could cost more is refused before
anything is uploaded. Whatever happens, what was made is deleted: found by its own prefix in the bucket, not by memory.

These tests have not been run yet: nobody who wrote them had an account.
"""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune_flows.flows.finetune import finetune
from finetune_flows.tasks.platforms.sagemaker import data
from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection
from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner
from finetune_flows.tasks.recipe import SageMakerPlatform, parse_recipe
from tests.flows.conftest import home, prefect_server

pytestmark = [pytest.mark.live, pytest.mark.timeout(4 * 3600)]
__all__ = ["home", "prefect_server"]


@pytest.fixture
def section() -> Iterator[SageMakerPlatform]:
    """A place of its own in the account's bucket, below what the role of `setup aws` may touch; emptied afterwards."""
    if os.environ.get("FINETUNE_LIVE") != "1":
        pytest.skip("costs money: set FINETUNE_LIVE=1")
    section = SageMakerPlatform(
        prefix=f"finetune/live-{uuid.uuid4().hex[:12]}",
        max_usd=float(os.environ.get("FINETUNE_LIVE_MAX_USD", "5")),
        max_runtime_hours=1,
        model_registry=False,
    )
    yield section
    clean_up(section)


def clean_up(section: SageMakerPlatform) -> None:
    """Stops jobs, deletes endpoints with their parts, empties the prefix."""
    runner = SageMakerRunner(section)
    for name in running_jobs(runner):
        runner.stop_job(name)
    runner.sweep(datetime.now(UTC) + timedelta(days=365))
    data.delete_prefix(runner.clients, f"{runner.clients.home}/")
    assert running_jobs(runner) == []
    assert runner.endpoints() == []


def running_jobs(runner: SageMakerRunner) -> list[str]:
    """Jobs of this prefix that cost money now."""
    pages = runner.sagemaker.get_paginator("list_training_jobs").paginate(StatusEquals="InProgress")
    found = [each for page in pages for each in page["TrainingJobSummaries"]]
    return [each["TrainingJobName"] for each in found if runner.labels_of(each["TrainingJobArn"])]


def test_the_demo_rows_teach_a_small_model_on_a_gpu(section: SageMakerPlatform, home: Path) -> None:
    content: dict[str, Any] = yaml.safe_load(Path("recipes/demo.yaml").read_text(encoding="utf-8"))
    content["platform"] = section.model_dump(mode="json")
    content["serving"]["expires_after_hours"] = 1
    outcome = finetune(parse_recipe(content, "live"))
    assert outcome.promoted, outcome.reasons
    assert outcome.endpoint is not None
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    with SageMakerConnection(outcome.endpoint.url).client(60) as client:
        client.post("/v1/chat/completions", json=body).raise_for_status()
