"""Set up a Prefect server for our deployments: work pools, a limit, the automation for dead runs, a variable."""

import os
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, VariableCreate, WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.train import TRAINING_LIMIT

POOL, DOCKER_POOL, POOL_VARIABLE = "finetune", "finetune-docker", "finetune_pool"
DEAD_RUNS = "Mark dead runs as crashed"
_MISSED_HEARTBEATS = 3  # as Prefect's guide to dead runs advises

Make = Callable[[PrefectClient], Awaitable[bool]]


async def set_up_prefect() -> dict[str, bool]:
    """Creates what is missing on the server and leaves the rest unchanged. Returns by name whether it was created now.

    Raises:
        EnvironmentProblem: no server is configured, or it does not answer.
    """
    api = get_current_settings().api.url
    if not api:
        raise EnvironmentProblem(
            "no Prefect server is configured: run `prefect server start`, then export "
            "PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    async with get_client() as client:
        problem = await client.api_healthcheck()
        if problem:
            raise EnvironmentProblem(f"the Prefect server at {api} does not answer: {problem}")
        return {name: await make(client) for name, make in _PARTS.items()}


async def _process_pool(client: PrefectClient) -> bool:
    return await _pool(client, POOL, "process", "Flows run as processes of the worker.", {})


async def _docker_pool(client: PrefectClient) -> bool:
    """Each flow run is a container that starts jobs and endpoints as sibling containers, as compose.yaml's worker does."""
    place = str(home())
    defaults = {
        "image": "finetune-flows/orchestrator",
        "image_pull_policy": "IfNotPresent",
        # Sibling containers publish their endpoints on this machine's loopback interface only.
        "network_mode": "host",
        "auto_remove": True,
        # The same path inside and outside: the engine mounts it into the siblings by its path on this machine.
        "volumes": [f"{place}:{place}", f"{_docker_socket()}:/var/run/docker.sock"],
        "env": {"FINETUNE_HOME": place},
    }
    return await _pool(client, DOCKER_POOL, "docker", "Each flow run is a container of its own.", defaults)


def _docker_socket() -> Path:
    return Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))


async def _pool(client: PrefectClient, name: str, kind: str, description: str, defaults: dict[str, Any]) -> bool:
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        template = deepcopy(await get_default_base_job_template_for_infrastructure_type(kind)) or {}
        for variable, value in defaults.items():
            template["variables"]["properties"][variable]["default"] = value
        pool = WorkPoolCreate(name=name, type=kind, description=description, base_job_template=template)
        await client.create_work_pool(pool)
        return True
    return False


async def _training_limit(client: PrefectClient) -> bool:
    try:
        await client.read_global_concurrency_limit_by_name(TRAINING_LIMIT)
    except ObjectNotFound:
        await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=TRAINING_LIMIT, limit=1))
        return True
    return False


async def _pool_variable(client: PrefectClient) -> bool:
    if await client.read_variable_by_name(POOL_VARIABLE):
        return False
    await client.create_variable(VariableCreate(name=POOL_VARIABLE, value=POOL, tags=["finetune"]))
    return True


async def _dead_runs(client: PrefectClient) -> bool:
    """A killed worker leaves its run in state Running for ever, and the next run waits for its concurrency slot."""
    if await client.read_automations_by_name(DEAD_RUNS):
        return False
    await client.create_automation(dead_runs_automation())
    return True


def dead_runs_automation(heartbeat_seconds: int | None = None) -> AutomationCore:
    """Marks a run as crashed when it has missed three heartbeats in a row.

    `heartbeat_seconds`: time between two heartbeats of a run; default: Prefect's setting, 180.
    """
    seconds = heartbeat_seconds or get_current_settings().flows.heartbeat_frequency or 180
    ends = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    return AutomationCore(
        name=DEAD_RUNS,
        description="Marks a run as crashed when its worker was killed, so that the next run of its recipe can start.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat"} | ends,
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=_MISSED_HEARTBEATS * seconds),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: the worker of this run is gone.")],
    )


_PARTS: dict[str, Make] = {
    f"work pool {POOL}": _process_pool,
    f"work pool {DOCKER_POOL}": _docker_pool,
    f"variable {POOL_VARIABLE}": _pool_variable,
    f"concurrency limit {TRAINING_LIMIT}": _training_limit,
    f"automation '{DEAD_RUNS}'": _dead_runs,
}
