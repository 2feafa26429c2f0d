"""Score any endpoint on a recipe's frozen test rows."""

import difflib

from prefect import flow

from finetune_flows.tasks import report
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.endpoints.asking import Access, address_of
from finetune_flows.tasks.endpoints.connect import Connection, Http
from finetune_flows.tasks.evaluate import score_endpoint
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms import platforms_in_use
from finetune_flows.tasks.platforms.contract import Endpoint, Platform
from finetune_flows.tasks.prepare import prepare_dataset, stage_base_model
from finetune_flows.tasks.recipe import Recipe


@flow(name="evaluate", flow_run_name="{recipe.name}")
def evaluate(
    recipe: Recipe, endpoint: str | None = None, model: str | None = None, key_variable: str | None = None
) -> Reference:
    """Scores an endpoint on the test rows of a recipe.

    Args:
        recipe: Its dataset, problem and evaluation sections say what is asked and how it is judged.
        endpoint: Name of one of our endpoints, or URL of any that speaks OpenAI's chat API; default: the champion's.
        model: Which model is meant, where the URL's server has several and wants its name.
        key_variable: Name of the environment variable, where this runs, that holds the key of the URL's server.
    """
    access = _access(endpoint, model, key_variable)
    base = stage_base_model(recipe.model, recipe.platform)
    dataset = prepare_dataset(recipe.dataset, recipe.problem, base)
    connection, behind = _resolve(recipe, endpoint)
    evaluation = score_endpoint(recipe, connection, behind, dataset, access)
    report.publish_scores(connection.url, evaluation)
    return evaluation


def _access(endpoint: str | None, model: str | None, key_variable: str | None) -> Access:
    """What a foreign server is told. Raises EnvironmentProblem before anything is prepared when there is no such key."""
    if (model or key_variable) and not _is_url(endpoint):
        raise EndpointFailed("model and key_variable are for the URL of a server that is not ours: name it as endpoint")
    access = Access(model=model, key_variable=key_variable)
    access.key()
    return access


def _is_url(endpoint: str | None) -> bool:
    return endpoint is not None and endpoint.startswith(("http://", "https://"))


def _resolve(recipe: Recipe, endpoint: str | None) -> tuple[Connection, str]:
    """How it is asked, and what is known of the model behind it."""
    if endpoint and _is_url(endpoint):
        return Http(address_of(endpoint)), endpoint
    champion = Registry().read(recipe.name).champion
    if endpoint is None and champion is None:
        raise EndpointFailed(f"{recipe.name} has no champion yet: name an endpoint, or run the recipe first")
    found, platform = find_endpoint(endpoint or champion.endpoint)  # type: ignore[union-attr]
    return platform.connection(found), found.model_digest


def find_endpoint(name: str) -> tuple[Endpoint, Platform]:
    """The endpoint of that name, and where it runs. Raises EndpointFailed, naming those that run, when there is none."""
    running = {each.name: (each, platform) for platform in platforms_in_use() for each in platform.endpoints()}
    if name in running:
        return running[name]
    near = difflib.get_close_matches(name, running, n=1, cutoff=0.4)
    those = f"did you mean {near[0]}?" if near else f"running: {', '.join(running) or 'none'}"
    raise EndpointFailed(f"no endpoint {name} runs ({those}); `finetune run` with its recipe starts it again")
