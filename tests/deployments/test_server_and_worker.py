"""A real server and worker: deployed as the docs say, started by a schedule and by a person."""

from typing import Any

import pytest

from flows.setup import DEAD_RUNS
from tasks.train import TRAINING_LIMIT
from tests.support.prefect_server import PREFECT, PrefectServer, wait_for

pytestmark = pytest.mark.slow


def finished(server: PrefectServer, deployment: str) -> list[dict[str, Any]]:
    return [run for run in server.runs_of(deployment) if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED")]


def test_the_set_up_made_what_the_deployments_need_and_leaves_it_alone_the_second_time(server: PrefectServer) -> None:
    pools = {pool["name"]: pool for pool in server.post("work_pools/filter")}
    assert {name: pools[name]["type"] for name in pools} == {"finetune": "process", "finetune-docker": "docker"}
    image = pools["finetune-docker"]["base_job_template"]["variables"]["properties"]["image"]
    assert image["default"] == "finetune-flows/orchestrator"
    assert server.get(f"v2/concurrency_limits/{TRAINING_LIMIT}")["limit"] == 1
    automations = {each["name"]: each["enabled"] for each in server.post("automations/filter")}
    assert automations == {DEAD_RUNS: True, "Retrain demo after a breach": False}
    assert "true" not in server.command(*PREFECT[:2], "flows.cli", "setup", "prefect", "--json")


def test_the_sweep_starts_by_its_schedule(server: PrefectServer) -> None:
    wait_for(lambda: bool(finished(server, "sweep")), 180, "a scheduled sweep")
    run = finished(server, "sweep")[-1]
    assert run["state_type"] == "COMPLETED"
    assert run["created_by"]["type"] == "SCHEDULE"
    assert run["auto_scheduled"]


def test_a_run_that_somebody_starts_ends_well_and_shows_its_artifacts(server: PrefectServer) -> None:
    server.command(*PREFECT, "deployment", "run", "finetune/demo")
    newest = server.runs_of("demo")[0]["id"]
    wait_for(lambda: server.ended(newest) != "", 300, "the run of the tiny demo")
    run = server.get(f"flow_runs/{newest}")
    log = (server.folder / "worker.log").read_text(encoding="utf-8")
    assert run["state_type"] == "COMPLETED", log
    shown = server.post("artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    assert {"dataset-card", "training-report", "evaluation-report", "gate-decision"} <= {each["key"] for each in shown}
    assert list((server.folder / "home" / "runs").glob("*-demo-*")) != []
    limit = server.get(f"v2/concurrency_limits/{TRAINING_LIMIT}")
    assert limit["active_slots"] == 0, "the place for training was given back"
