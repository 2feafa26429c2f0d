"""Monitor: one look at the endpoints of a recipe, and an event for each that breaks a limit."""

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
"""The name of the event. An automation can start a deployment on it."""


def endpoints_of(recipe: str) -> list[Endpoint]:
    """Those that run for the recipe of that name, on every platform that was used here."""
    running = [endpoint for platform in platforms_in_use() for endpoint in platform.endpoints()]
    return [endpoint for endpoint in running if endpoint.labels.recipe == recipe]


@task(name="look", task_run_name="look-{endpoint.name}", **RETRIES)
def look_at(endpoint: Endpoint) -> Window:
    """What it did since the last look. A retry is harmless: a look is kept only once it succeeded."""
    return look(endpoint)


@task(name="look-at-prompts", task_run_name="look-at-prompts-{endpoint.name}", **RETRIES)
def drift_at(endpoint: Endpoint) -> Drift | None:
    """How far the captured prompts are from the training rows. None, and a word in the log, with nothing to compare."""
    dataset = trained_on(endpoint.labels.recipe, endpoint.model_digest)
    holder = next((each for each in platforms_in_use() if endpoint.name in _names(each)), None)
    if dataset is None or holder is None:
        log.info(
            "%s: it is not known what its model was trained on, so its prompts are compared with nothing", endpoint.name
        )
        return None
    drift = drift_of(asked_prompts(holder.endpoint_log(endpoint.name), dataset), training_prompts(dataset))
    if drift is None:
        log.info("%s: no captured prompts yet; what was started without serving.capture captures none", endpoint.name)
    return drift


def _names(platform: Platform) -> set[str]:
    """A champion that is judged meanwhile gets another expiry, and not another name."""
    return {each.name for each in platform.endpoints()}


@task(name="watch", task_run_name="watch-{endpoint.name}", **RETRIES)
def watch(endpoint: Endpoint, limits: MonitoringSection) -> list[str]:
    """Puts CloudWatch alarms on the limits of an endpoint on SageMaker; their names. Elsewhere nobody could watch."""
    if not endpoint.url.startswith("sagemaker:"):
        log.warning("%s is not on SageMaker: there are no alarms for it, only looks", endpoint.name)
        return []
    from finetune_flows.tasks.monitoring.cloudwatch import watch as put  # boto3 is not needed by those who do without

    return put(endpoint.name, endpoint.url, limits)


def announce(recipe: str, window: Window, sentences: list[str]) -> None:
    """The breach, in the log and as a Prefect event about the endpoint that is related to the recipe."""
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
