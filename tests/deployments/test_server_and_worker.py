"""A real server and worker: deployed as the docs say, started by a schedule and by a person."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.flows.setup import DEAD_RUNS
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.train import TRAINING_LIMIT
from tests.support.prefect_server import PREFECT, PrefectServer, wait_for
from tests.support.tiny_model import add_rows

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
    assert "true" not in server.command(*PREFECT[:2], "finetune_flows.flows.cli", "setup", "prefect", "--json")


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


def test_the_weekly_schedule_fires_trains_on_the_new_rows_and_promotes(server: PrefectServer) -> None:
    first = champion(server) or end_well(server, server.start("demo"))
    add_rows(Path(server.deployment("demo")["parameters"]["recipe"]["dataset"]["source"]), 8)
    retrain = server.deployment("retrain")
    [weekly] = retrain["schedules"]
    assert not weekly["active"], "off until somebody switches it on"
    # The server looks at changed schedules once a minute.
    soon = {
        "interval": timedelta(weeks=1).total_seconds(),
        "anchor_date": (datetime.now(UTC) + timedelta(seconds=75)).isoformat(),
    }
    server.patch(f"deployments/{retrain['id']}/schedules/{weekly['id']}", active=True, schedule=soon)
    wait_for(lambda: bool(finished(server, "retrain")), 300, "the scheduled retraining")
    [run] = finished(server, "retrain")
    log = (server.folder / "worker.log").read_text(encoding="utf-8")
    assert (run["state_type"], run["created_by"]["type"], run["auto_scheduled"]) == ("COMPLETED", "SCHEDULE", True), log
    assert champion(server) not in (None, first), log


def champion(server: PrefectServer) -> str | None:
    """Digest of the model that serves for the tiny demo."""
    entry = Registry(server.folder / "home" / "registry").read("demo").champion
    return entry.model.digest if entry else None


def end_well(server: PrefectServer, run: str) -> str | None:
    """Waits for a run of the tiny demo; the champion then."""
    wait_for(lambda: server.ended(run) != "", 300, "the run of the tiny demo")
    assert server.ended(run) == "COMPLETED", (server.folder / "worker.log").read_text(encoding="utf-8")
    return champion(server)
