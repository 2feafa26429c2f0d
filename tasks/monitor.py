"""Monitor: one look at the endpoints of a recipe, and an event for each endpoint that breaks a limit."""

from prefect import task
from prefect.events import emit_event

from finetune_flows.tasks.monitoring.captured import asked_prompts, trained_on, training_prompts
from finetune_flows.tasks.monitoring.drift import Drift, drift_of
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms import platform_of, platforms_in_use
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import MonitoringSection, Platform
from finetune_flows.tasks.retrying import RETRIES

BREACH = "finetune.endpoint.breach"
"""Name of the Prefect event. An automation can start a deployment when it occurs."""


def endpoints_of(recipe: str) -> list[tuple[Platform, Endpoint]]:
    """The running endpoints of a recipe with their platform's section, on every platform that was used here."""
    running = [(platform.section, endpoint) for platform in platforms_in_use() for endpoint in platform.endpoints()]
    return [(section, endpoint) for section, endpoint in running if endpoint.labels.recipe == recipe]


@task(name="look", task_run_name="look-{endpoint.name}", **RETRIES)
def look_at(platform: Platform, endpoint: Endpoint) -> Window:
    """What the endpoint did since the last look. A retry is safe: a look is stored only after it succeeded."""
    return platform_of(platform).window(endpoint)


@task(name="look-at-prompts", task_run_name="look-at-prompts-{endpoint.name}", **RETRIES)
def drift_at(platform: Platform, endpoint: Endpoint) -> Drift | None:
    """Distance of the captured prompts from the training rows. None, with a line in the log, if there are none."""
    dataset = trained_on(endpoint.labels.recipe, endpoint.model_digest)
    if dataset is None:
        log.info("%s: no drift is measured, because the training rows of its model are unknown", endpoint.name)
        return None
    log_file = platform_of(platform).endpoint_log(endpoint.name)
    drift = drift_of(asked_prompts(log_file, dataset), training_prompts(dataset))
    if drift is None:
        log.info("%s: no captured prompts yet; only endpoints started with serving.capture have them", endpoint.name)
    return drift


@task(name="watch", task_run_name="watch-{endpoint.name}", **RETRIES)
def watch(platform: Platform, endpoint: Endpoint, limits: MonitoringSection) -> list[str]:
    """Create alarms for the limits of an endpoint, on platforms that have them; returns the names of the alarms."""
    alarms = platform_of(platform).put_alarms(endpoint, limits)
    if alarms is None:
        log.warning(
            "%s: platform %s has no alarms; only `finetune monitor` checks the limits", endpoint.name, platform.kind
        )
    return alarms or []


def announce(recipe: str, window: Window, sentences: list[str]) -> None:
    """Logs the broken limits and emits a Prefect event about the endpoint, related to the recipe."""
    for sentence in sentences:
        log.warning("%s: %s", window.endpoint, sentence)
    emit_event(
        BREACH,
        resource={
            "prefect.resource.id": f"finetune.endpoint.{window.endpoint}",
            "prefect.resource.name": window.endpoint,
        },
        related=[{"prefect.resource.id": f"finetune.recipe.{recipe}", "prefect.resource.role": "recipe"}],
        payload={"breaches": sentences, "window": window.model_dump(mode="json")},
    )
