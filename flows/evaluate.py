"""Score any endpoint on a recipe's frozen test rows."""

import difflib

from prefect import flow

from tasks import report
from tasks.artifacts.references import Reference
from tasks.artifacts.registry import Registry
from tasks.errors import EndpointFailed
from tasks.evaluate import score_endpoint
from tasks.platforms import platforms_in_use
from tasks.platforms.contract import Endpoint, Platform
from tasks.prepare import prepare_dataset, stage_base_model
from tasks.recipe import Recipe


@flow(name="evaluate", flow_run_name="{recipe.name}")
def evaluate(recipe: Recipe, endpoint: str | None = None) -> Reference:
    """Scores an endpoint on the test rows of a recipe.

    Args:
        recipe: Its dataset, problem and evaluation sections say what is asked and how it is judged.
        endpoint: Name of one of our endpoints, or URL of any that speaks OpenAI's chat API; default: the champion's.
    """
    base = stage_base_model(recipe.model, recipe.platform)
    dataset = prepare_dataset(recipe.dataset, recipe.problem, base)
    url, model = _resolve(recipe, endpoint)
    evaluation = score_endpoint(recipe, url, model, dataset)
    report.publish_scores(url, evaluation)
    return evaluation


def _resolve(recipe: Recipe, endpoint: str | None) -> tuple[str, str]:
    """URL, and what is known of the model behind it."""
    if endpoint and endpoint.startswith(("http://", "https://")):
        return endpoint.rstrip("/"), endpoint
    champion = Registry().read(recipe.name).champion
    if endpoint is None and champion is None:
        raise EndpointFailed(f"{recipe.name} has no champion yet: name an endpoint, or run the recipe first")
    found, _ = find_endpoint(endpoint or champion.endpoint)  # type: ignore[union-attr]
    return found.url, found.model_digest


def find_endpoint(name: str) -> tuple[Endpoint, Platform]:
    """The endpoint of that name, and where it runs. Raises EndpointFailed, naming those that run, when there is none."""
    running = {each.name: (each, platform) for platform in platforms_in_use() for each in platform.endpoints()}
    if name in running:
        return running[name]
    near = difflib.get_close_matches(name, running, n=1, cutoff=0.4)
    those = f"did you mean {near[0]}?" if near else f"running: {', '.join(running) or 'none'}"
    raise EndpointFailed(f"no endpoint {name} runs ({those}); `finetune run` with its recipe starts it again")
