"""Deploy: a server with the candidate, checked against what the trainer saw. Never cached: an endpoint is not a result."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from prefect import task

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.endpoints.parity import check_parity
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Platform, Recipe
from finetune_flows.tasks.retrying import RETRIES
from finetune_flows.tasks.train import labels


@contextmanager
def candidate_endpoint(recipe: Recipe, model: Reference) -> Iterator[Endpoint]:
    """The endpoint to be judged: it stays when the body ends well, and is deleted on every other way out.

    Prefect's transaction would undo the deployment as soon as one attempt of a later task fails, before its next one.

    Raises:
        EndpointFailed: as `deploy_candidate` does.
    """
    endpoint = deploy_candidate(recipe, model)
    try:
        yield endpoint
    except BaseException:
        try:
            withdraw(recipe.platform, recipe.name, endpoint.name)
        except Exception:  # what ended the run is what has to be told
            log.exception("endpoint %s is left running until it expires: finetune endpoint delete", endpoint.name)
        raise


@task(name="deploy-candidate", **RETRIES)
def deploy_candidate(recipe: Recipe, model: Reference) -> Endpoint:
    """An endpoint that serves the tuned model; one that already does is taken and kept alive.

    Raises:
        EndpointFailed: it did not become healthy, or does not answer as its model did. Nothing of it is left running.
    """
    serving = running_endpoint(recipe, model)
    return start_checked(recipe, serving.name if serving else endpoint_name(recipe, model), model)


def start_checked(recipe: Recipe, name: str, model: Reference) -> Endpoint:
    """The endpoint `name` with a tuned model that was seen to answer as its trainer did. Raises EndpointFailed."""
    endpoint = start_endpoint(recipe, name, model.path / "model", model)
    try:
        connection = platform_of(recipe.platform).connection(endpoint)
        log.info("endpoint %s: %s", name, check_parity(connection, name, model.path / "probes.json"))
    except BaseException:
        withdraw(recipe.platform, recipe.name, name)
        raise
    return endpoint


def running_endpoint(recipe: Recipe, model: Reference) -> Endpoint | None:
    """The one that serves this very model for the recipe, if any does; not the base model's or one for a comparison."""
    running = platform_of(recipe.platform).endpoints()
    names = (endpoint_name(recipe, model), recipe.name)
    found = [each for each in running if each.name in names and each.model_digest == model.digest]
    return found[0] if found else None


def start_endpoint(recipe: Recipe, name: str, folder: Path, model: Reference) -> Endpoint:
    """Starts or finds the endpoint `name` with the model in `folder`, alive for the recipe's `expires_after_hours`."""
    return platform_of(recipe.platform).start_endpoint(endpoint_spec(recipe, name, folder, model))


def endpoint_spec(recipe: Recipe, name: str, folder: Path, model: Reference) -> EndpointSpec:
    """The server that the recipe wants for the model in `folder`, from now on alive for `expires_after_hours`."""
    return EndpointSpec(
        name=name,
        model=folder,
        model_digest=model.digest,
        serving=recipe.serving,
        labels=labels(recipe, model.step_key, timedelta(hours=recipe.serving.expires_after_hours)),
    )


def withdraw(platform: Platform, recipe: str, name: str) -> None:
    """Deletes an endpoint, unless it is the one that serves: judging a champion again must not end it.

    That is the champion's own, or, where a platform's lasting address is an endpoint, the one with the recipe's name.
    """
    champion = Registry().read(recipe).champion
    if champion is None or name not in (champion.endpoint, recipe):
        platform_of(platform).delete_endpoint(name)
        log.info("endpoint %s deleted", name)


def endpoint_name(recipe: Recipe, model: Reference, role: str = "") -> str:
    """`<recipe>-<model digest, 8>`: the same model always has the same endpoint."""
    return "-".join(filter(None, [recipe.name, role, model.digest[:8]]))
