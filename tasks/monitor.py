"""Monitor: one look at the endpoints of a recipe, and an event for each endpoint that breaks a limit."""

from prefect import task
from prefect.events import emit_event

from finetune_flows.tasks.monitoring.captured import asked_prompts, trained_on, training_prompts
from finetune_flows.tasks.monitoring.drift import Drift, drift_of
from finetune_flows.tasks.monitoring.looking import look
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms import platforms_in_use
from finetune_flows.tasks.platforms.contract import Endpoint, Platform
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import MonitoringSection
from finetune_flows.tasks.retrying import RETRIES

BREACH = "finetune.endpoint.breach"
"""Name of the Prefect event. An automation can start a deployment when it occurs."""


def endpoints_of(recipe: str) -> list[Endpoint]:
    """The running endpoints of a recipe, on every platform that was used here."""
    running = [endpoint for platform in platforms_in_use() for endpoint in platform.endpoints()]
    return [endpoint for endpoint in running if endpoint.labels.recipe == recipe]


@task(name="look", task_run_name="look-{endpoint.name}", **RETRIES)
def look_at(endpoint: Endpoint) -> Window:
    """What the endpoint did since the last look. A retry is safe: a look is stored only after it succeeded."""
    return look(endpoint)


@task(name="look-at-prompts", task_run_name="look-at-prompts-{endpoint.name}", **RETRIES)
def drift_at(endpoint: Endpoint) -> Drift | None:
    """Distance of the captured prompts from the training rows. None, with a line in the log, if there are none."""
    dataset = trained_on(endpoint.labels.recipe, endpoint.model_digest)
    holder = next((each for each in platforms_in_use() if endpoint.name in _names(each)), None)
    if dataset is None or holder is None:
        log.info("%s: no drift is measured, because the training rows of its model are unknown", endpoint.name)
        return None
    drift = drift_of(asked_prompts(holder.endpoint_log(endpoint.name), dataset), training_prompts(dataset))
    if drift is None:
        log.info("%s: no captured prompts yet; only endpoints started with serving.capture have them", endpoint.name)
    return drift


def _names(platform: Platform) -> set[str]:
    """Compared by name: the expiry of an endpoint changes when its champion is evaluated meanwhile."""
    return {each.name for each in platform.endpoints()}


@task(name="watch", task_run_name="watch-{endpoint.name}", **RETRIES)
def watch(endpoint: Endpoint, limits: MonitoringSection) -> list[str]:
    """Creates CloudWatch alarms for the limits of an endpoint on SageMaker and returns their names; none elsewhere."""
    if not endpoint.url.startswith("sagemaker:"):
        log.warning(
            "%s is not on SageMaker: it gets no alarms and is checked only by `finetune monitor`", endpoint.name
        )
        return []
    from finetune_flows.tasks.monitoring.cloudwatch import watch as put  # boto3 is not needed by those who do without

    return put(endpoint.name, endpoint.url, limits)


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
