"""Monitoring a real server: it is stopped for a while, and sent what it refuses; the breach is seen and told to Prefect."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger

from finetune_flows.flows.monitor import monitor
from finetune_flows.flows.retrain import retrain
from finetune_flows.tasks.monitor import BREACH
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec, Labels
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.recipe import Recipe, parse_recipe

BODY = {"model": "x", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1, "temperature": 0}
LONG = BODY | {"max_tokens": 450}
PAUSE = 6.0  # seconds; above the bucket from 2.5 to 5


@pytest.fixture
def watched(content: dict[str, Any]) -> Recipe:
    limits = {"p95_seconds": 4, "error_rate": 0.2, "min_requests": 4}
    return parse_recipe(content | {"name": "demo", "monitoring": limits}, "watched")


@pytest.fixture
def endpoint(home: Path, tiny_model: Path, watched: Recipe) -> Iterator[Endpoint]:
    until = datetime.now(UTC) + timedelta(minutes=20)
    labels = Labels(recipe=watched.name, step_key="k", flow_run="r", expires_at=until)
    spec = EndpointSpec(name="watched-1", model=tiny_model, model_digest="d", serving=watched.serving, labels=labels)
    yield ProcessRunner(root=home).start_endpoint(spec)
    ProcessRunner(root=home).delete_endpoint("watched-1")


def ask(endpoint: Endpoint, body: dict[str, Any] = BODY, times: int = 6) -> list[int]:
    def call(_: int) -> int:
        return httpx.post(f"{endpoint.url}/v1/chat/completions", json=body, timeout=120).status_code

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call, range(times)))


def server_of(endpoint: Endpoint) -> psutil.Process:
    port = endpoint.url.rsplit(":", 1)[1]
    processes = (each for each in psutil.process_iter() if each.username() == psutil.Process().username())
    [found] = [
        each
        for each in processes
        if {"--port", port} <= set(_line(each)) and "finetune_flows.containers.serving" in _line(each)
    ]
    return found


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def running(endpoint: Endpoint) -> float:
    text = httpx.get(f"{endpoint.url}/metrics", timeout=60).text
    return float(text.split("\nserving_running ")[1].split()[0])


def events_of(endpoint: Endpoint) -> list[dict[str, Any]]:
    """What the Prefect server has of our event."""
    chosen = {"event": {"name": [BREACH]}, "resource": {"id": [f"finetune.endpoint.{endpoint.name}"]}}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/events/filter", json={"filter": chosen})
    events: list[dict[str, Any]] = found.json()["events"]
    return events


def eventually(true: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.fixture
def retrain_id(watched: Recipe) -> Iterator[UUID]:
    """The deployment `retrain`, started by the trigger that stands in prefect.yaml, enabled."""
    content = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))
    [written] = next(each["triggers"] for each in content["deployments"] if each["name"] == "retrain")
    trigger = DeploymentEventTrigger.model_validate(written | {"enabled": True})
    with get_client(sync_client=True) as client:
        parameters = {"recipe": watched.model_dump(mode="json")}
        deployment = client.create_deployment(client.create_flow(retrain), "retrain", parameters=parameters)
        trigger.set_deployment_id(deployment)
        automation = client.request("POST", "/automations/", json=trigger.as_automation().model_dump(mode="json"))
        yield deployment
        client.request("DELETE", "/automations/{id}", path_params={"id": automation.json()["id"]})
        client.delete_deployment(deployment)


def runs_of(deployment: UUID) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        chosen = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        return client.read_flow_runs(deployment_filter=chosen)


@pytest.mark.slow
def test_a_breach_is_seen_told_to_prefect_and_starts_retrain(
    endpoint: Endpoint, watched: Recipe, retrain_id: UUID
) -> None:
    assert set(ask(endpoint)) == {200}
    calm = monitor(watched)
    assert calm.broken == {}
    assert calm.windows[0].requests == 6
    assert runs_of(retrain_id) == []

    server = server_of(endpoint)
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, endpoint, LONG)
            assert eventually(lambda: running(endpoint) > 0), "what is under way is slowed down, not what waits outside"
            os.kill(server.pid, signal.SIGSTOP)
            time.sleep(PAUSE)
            os.kill(server.pid, signal.SIGCONT)
            assert set(asked.result()) == {200}
    finally:
        os.kill(server.pid, signal.SIGCONT)
    slow = monitor(watched)
    [sentence] = slow.broken[endpoint.name]
    assert "requests took longer than" in sentence

    assert set(ask(endpoint, {"model": "x"})) <= {400, 422}
    failing = monitor(watched)
    [sentence] = failing.broken[endpoint.name]
    assert sentence.startswith("100.0 % of 6 requests failed")

    assert eventually(lambda: len(events_of(endpoint)) == 2)
    newest = events_of(endpoint)[0]
    assert newest["payload"]["breaches"] == [sentence]
    assert {"prefect.resource.id": f"finetune.recipe.{watched.name}", "prefect.resource.role": "recipe"} in newest[
        "related"
    ]
    assert eventually(lambda: len(runs_of(retrain_id)) == 2), "one for each breach; no worker takes them here"
    assert runs_of(retrain_id)[0].parameters["recipe"]["name"] == watched.name
