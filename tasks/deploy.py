"""Deploy: an endpoint with the candidate, checked against the trainer's outputs. Never cached: an endpoint can expire."""

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
from finetune_flows.tasks.progress import log, progress
from finetune_flows.tasks.recipe import Platform, Recipe
from finetune_flows.tasks.retrying import RETRIES
from finetune_flows.tasks.train import labels


@contextmanager
def candidate_endpoint(recipe: Recipe, model: Reference) -> Iterator[Endpoint]:
    """The endpoint of the candidate. It stays if the body succeeds, and is deleted if the body raises anything.

    Raises:
        EndpointFailed: as `deploy_candidate` does.
    """
    # Not a Prefect transaction: it undoes the deployment when one attempt of a later task fails, before the retry.
    endpoint = deploy_candidate(recipe, model)
    try:
        yield endpoint
    except BaseException:
        try:
            withdraw(recipe.platform, recipe.name, endpoint.name)
        except Exception:  # logged, not raised: the user must see the error that ended the run
            log.exception("endpoint %s could not be deleted: finetune endpoint delete %s", endpoint.name, endpoint.name)
        raise


@task(name="deploy-candidate", **RETRIES)
def deploy_candidate(recipe: Recipe, model: Reference) -> Endpoint:
    """An endpoint that serves the tuned model. If one already runs, it is reused and its expiry is moved forward.

    Raises:
        EndpointFailed: it did not become healthy, or its answers differ from the trainer's. It is deleted again.
    """
    serving = running_endpoint(recipe, model)
    return start_checked(recipe, serving.name if serving else endpoint_name(recipe, model), model)


def start_checked(recipe: Recipe, name: str, model: Reference) -> Endpoint:
    """The endpoint `name` with a tuned model that was seen to answer as its trainer did. Raises EndpointFailed."""
    endpoint = start_endpoint(recipe, name, model.path / "model", model)
    try:
        connection = platform_of(recipe.platform).connection(endpoint)
        with progress(f"check endpoint {name}", "parity-progress"):
            parity = check_parity(connection, name, model.path / "probes.json")
        log.info("endpoint %s: %s", name, parity)
    except BaseException:  # a cancelled run must not leave an endpoint that costs money
        withdraw(recipe.platform, recipe.name, name)
        raise
    return endpoint


def running_endpoint(recipe: Recipe, model: Reference) -> Endpoint | None:
    """The endpoint that serves exactly this model for the recipe, if there is one; temporary endpoints do not count."""
    running = platform_of(recipe.platform).endpoints()
    names = (endpoint_name(recipe, model), recipe.name)
    found = [each for each in running if each.name in names and each.model_digest == model.digest]
    return found[0] if found else None


def start_endpoint(recipe: Recipe, name: str, folder: Path, model: Reference) -> Endpoint:
    """Starts or reuses the endpoint `name` with the model in `folder`. It expires after `serving.expires_after_hours`."""
    with progress(f"start endpoint {name}", "endpoint-progress"):
        return platform_of(recipe.platform).start_endpoint(endpoint_spec(recipe, name, folder, model))


def endpoint_spec(recipe: Recipe, name: str, folder: Path, model: Reference) -> EndpointSpec:
    """The specification of that endpoint; its expiry counts from now."""
    return EndpointSpec(
        name=name,
        model=folder,
        model_digest=model.digest,
        serving=recipe.serving,
        labels=labels(recipe, model.step_key, timedelta(hours=recipe.serving.expires_after_hours)),
    )


def withdraw(platform: Platform, recipe: str, name: str) -> None:
    """Deletes an endpoint, unless it serves the champion: evaluating a champion again must not stop it.

    The champion's endpoint is its own or, on a platform whose lasting address is an endpoint, the one named like the recipe.
    """
    champion = Registry().read(recipe).champion
    if champion is None or name not in (champion.endpoint, recipe):
        platform_of(platform).delete_endpoint(name)
        log.info("endpoint %s deleted", name)


def endpoint_name(recipe: Recipe, model: Reference, role: str = "") -> str:
    """`<recipe>-<model digest, 8>`: the same model always has the same endpoint."""
    return "-".join(filter(None, [recipe.name, role, model.digest[:8]]))
