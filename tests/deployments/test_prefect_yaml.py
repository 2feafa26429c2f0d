"""prefect.yaml: Prefect ignores keys that it does not know and takes most values unread, so they are checked here."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect.cli.deploy._models import (
    ConcurrencyLimitSpec,
    DeploymentConfig,
    PrefectYamlModel,
    RawScheduleConfig,
    WorkPoolConfig,
)
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.flows import Flow, load_flow_from_entrypoint
from pydantic import BaseModel

from finetune_flows.flows.setup import POOL_VARIABLE
from finetune_flows.tasks.monitor import BREACH
from finetune_flows.tasks.recipe import Recipe, load_recipe
from scripts.prefect_recipes import current

FILE = Path("prefect.yaml")
CONTENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
DEPLOYMENTS: list[dict[str, Any]] = CONTENT["deployments"]
each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=[each["name"] for each in DEPLOYMENTS])


def flow_of(deployment: dict[str, Any]) -> Flow[Any, Any]:
    return load_flow_from_entrypoint(deployment["entrypoint"])


def unknown_keys(content: dict[str, Any]) -> list[str]:
    """Dotted paths of keys that Prefect would ignore."""
    known = {name: model.model_fields for name, model in _MODELS.items()}
    unknown = [f"{key}" for key in content if key not in known[""] and key not in ("definitions", "prefect-version")]
    for deployment in content["deployments"]:
        name = deployment["name"]
        unknown += [f"{name}.{key}" for key in deployment if key not in known["deployments"]]
        for section in ("work_pool", "concurrency_limit"):
            unknown += [f"{name}.{section}.{key}" for key in deployment.get(section, {}) if key not in known[section]]
        for schedule in deployment.get("schedules", []):
            unknown += [f"{name}.schedules.{key}" for key in schedule if key not in known["schedules"]]
    return unknown


_MODELS: dict[str, type[BaseModel]] = {
    "": PrefectYamlModel,
    "deployments": DeploymentConfig,
    "work_pool": WorkPoolConfig,
    "concurrency_limit": ConcurrencyLimitSpec,
    "schedules": RawScheduleConfig,
}


def test_every_key_is_one_that_prefect_reads() -> None:
    assert unknown_keys(CONTENT) == []


@pytest.mark.parametrize(
    ("section", "key"),
    [("", "concurency_limit"), ("work_pool", "nam"), ("concurrency_limit", "strategy"), ("top", "deploymentz")],
)
def test_a_misspelt_key_is_found(section: str, key: str) -> None:
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    place = content if section == "top" else content["deployments"][0]
    place.get(section, place)[key] = 1
    found = unknown_keys(content)
    assert found
    assert all(each.endswith(key) for each in found)


@each_deployment
def test_the_entrypoint_is_a_flow_and_takes_the_parameters(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment)
    required = set(flow.parameters.required)
    assert required <= deployment.get("parameters", {}).keys(), "Quick run would fail"
    for schedule in [{}, *deployment.get("schedules", [])]:
        flow.validate_parameters(deployment.get("parameters", {}) | schedule.get("parameters", {}))


@each_deployment
def test_a_person_in_the_ui_is_told_what_it_does(deployment: dict[str, Any]) -> None:
    assert deployment["description"].strip()
    assert deployment["tags"]


@each_deployment
def test_schedules_name_their_time_zone_and_can_be_told_apart(deployment: dict[str, Any]) -> None:
    schedules = deployment.get("schedules", [])
    for schedule in schedules:
        CronSchedule(cron=schedule["cron"], timezone=str(ZoneInfo(schedule["timezone"])))
        assert RawScheduleConfig.model_validate(schedule).slug
    assert len({schedule["slug"] for schedule in schedules}) == len(schedules)


@each_deployment
def test_triggers_are_read_as_they_are_written_and_wait_to_be_enabled(deployment: dict[str, Any]) -> None:
    for trigger in deployment.get("triggers", []):
        read = DeploymentEventTrigger.model_validate(trigger)
        assert trigger.keys() <= DeploymentEventTrigger.model_fields.keys(), "Prefect would ignore the others"
        assert read.expect == {BREACH}
        assert not read.enabled


@each_deployment
def test_runs_of_one_deployment_never_run_beside_each_other(deployment: dict[str, Any]) -> None:
    assert deployment["concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_limit"]["collision_strategy"] in ("ENQUEUE", "CANCEL_NEW")
    assert deployment["work_pool"]["name"] == f"{{{{ prefect.variables.{POOL_VARIABLE} }}}}"


def test_the_recipes_in_it_are_those_in_the_folder() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text == current(text), "run: python scripts/prefect_recipes.py"


def test_every_recipe_can_be_started() -> None:
    started = [
        Recipe.model_validate(deployment["parameters"]["recipe"])
        for deployment in DEPLOYMENTS
        if flow_of(deployment).name == "finetune"
    ]
    assert sorted(recipe.name for recipe in started) == sorted(path.stem for path in Path("recipes").glob("*.yaml"))
    for recipe in started:
        assert recipe == load_recipe(Path("recipes") / f"{recipe.name}.yaml")


def test_all_but_the_sweep_starts_by_schedule_only_when_somebody_switched_it_on() -> None:
    scheduled = [each for each in DEPLOYMENTS if each.get("schedules") and "sweep" not in each["name"]]
    assert [each["name"] for each in scheduled] == ["retrain", "monitor"]
    schedules = [RawScheduleConfig.model_validate(schedule) for each in scheduled for schedule in each["schedules"]]
    assert [schedule.active for schedule in schedules] == [False, False]


def test_a_candidate_that_needs_approval_finds_the_deployment_that_asks() -> None:
    """finetune_flows.tasks.promote starts `promote/promote`, by the names of the flow and of the deployment."""
    asked = next(each for each in DEPLOYMENTS if each["name"] == "promote")
    flow = flow_of(asked)
    assert flow.name == "promote"
    flow.validate_parameters({"name": "demo", "model": "ab" * 32, "ask": True})
