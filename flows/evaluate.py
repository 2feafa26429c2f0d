"""Score any endpoint on a recipe's frozen test rows."""

import difflib

from prefect import flow

from finetune_flows.flows.form import TextOrEmpty
from finetune_flows.tasks import report
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.endpoints.asking import Access, address_of, check_address
from finetune_flows.tasks.endpoints.connect import Connection, Http
from finetune_flows.tasks.evaluate import score_endpoint
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms import platforms_in_use
from finetune_flows.tasks.platforms.contract import Endpoint, Platform
from finetune_flows.tasks.platforms.local.aliases import ended, expired
from finetune_flows.tasks.prepare import prepare_dataset, stage_base_model
from finetune_flows.tasks.recipe import Recipe


@flow(name="evaluate", flow_run_name="{recipe.name}")
def evaluate(
    recipe: Recipe, endpoint: TextOrEmpty = "", model: TextOrEmpty = "", key_variable: TextOrEmpty = ""
) -> Reference:
    """Scores an endpoint on the test rows of a recipe.

    Args:
        recipe: Its dataset, problem and evaluation sections define the questions and how the answers are judged.
        endpoint: Name of an endpoint of finetune, or URL of any server with OpenAI's chat API. Default: the champion's.
        model: Name of the model to ask, if the server at the URL requires one.
        key_variable: Environment variable with the key of the server at the URL. Set it on the machine that runs this.
    """
    access = _access(endpoint or None, model or None, key_variable or None)
    base = stage_base_model(recipe.model, recipe.platform)
    dataset = prepare_dataset(recipe.dataset, recipe.problem, base)
    connection, behind = _resolve(recipe, endpoint or None)
    evaluation = score_endpoint(recipe, connection, behind, dataset, access)
    report.publish_scores(connection.url, evaluation)
    return evaluation


def _access(endpoint: str | None, model: str | None, key_variable: str | None) -> Access:
    """Model name and key for a server that is not ours.

    Raises:
        EndpointFailed: the URL is none, or there is a model or a key without a URL.
        EnvironmentProblem: the key is not set.
    """
    if endpoint is not None and _is_url(endpoint):
        check_address(endpoint)
    if (model or key_variable) and not _is_url(endpoint):
        raise EndpointFailed("model and key_variable apply only to a server's URL: give that URL as endpoint")
    access = Access(model=model, key_variable=key_variable)
    access.key()  # fails here, before base model and rows are prepared
    return access


def _is_url(endpoint: str | None) -> bool:
    return endpoint is not None and endpoint.startswith(("http://", "https://"))


def _resolve(recipe: Recipe, endpoint: str | None) -> tuple[Connection, str]:
    """The connection to the endpoint, and the digest of its model, or its URL if the server is not ours."""
    if endpoint and _is_url(endpoint):
        return Http(address_of(endpoint)), endpoint
    champion = Registry().read(recipe.name).champion
    if endpoint is None and champion is None:
        raise EndpointFailed(f"{recipe.name} has no champion yet: run the recipe first, or name an endpoint")
    found, platform = find_endpoint(endpoint or champion.endpoint)  # type: ignore[union-attr]
    return platform.connection(found), found.model_digest


def find_endpoint(name: str) -> tuple[Endpoint, Platform]:
    """The endpoint with this name and its platform. Raises EndpointFailed, with the names that run, if there is none."""
    running = {each.name: (each, platform) for platform in platforms_in_use() for each in platform.endpoints()}
    if name in running:
        return running[name]
    for alias in expired():
        if name in (alias.name, alias.endpoint):
            raise EndpointFailed(ended(alias))
    near = difflib.get_close_matches(name, running, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"running: {', '.join(running) or 'none'}"
    raise EndpointFailed(
        f"no endpoint named {name} is running ({hint}); `finetune run` with its recipe starts it again"
    )
