"""Monitor endpoints: latency, errors and load since the last look, drift of prompts, and an event for a broken limit."""

from prefect import flow
from pydantic import Field

from finetune_flows.tasks import monitor as stage
from finetune_flows.tasks import report
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.monitoring.window import Window, breaches
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.recipe import Platform, Recipe


class Looked(Frozen):
    """What one look at the endpoints of a recipe found."""

    windows: list[Window] = Field(description="One for each endpoint of the recipe.")
    broken: dict[str, list[str]] = Field(description="A sentence for each broken limit, by endpoint.")


@flow(name="monitor", flow_run_name="{recipe.name}")
def monitor(recipe: Recipe) -> Looked:
    """Checks the endpoints of a recipe once. To monitor continuously, give its deployment a schedule.

    Args:
        recipe: Its name selects the endpoints; its monitoring section sets the limits. Without limits: only a table.
    """
    endpoints = stage.endpoints_of(recipe.name)
    if recipe.monitoring.alarms:
        for platform, endpoint in endpoints:
            stage.watch(platform, endpoint, recipe.monitoring)
    windows = [_look(platform, endpoint, recipe) for platform, endpoint in endpoints]
    found = {window.endpoint: breaches(window, recipe.monitoring) for window in windows}
    broken = {endpoint: sentences for endpoint, sentences in found.items() if sentences}
    for window in windows:
        if window.endpoint in broken:
            stage.announce(recipe.name, window, broken[window.endpoint])
    report.publish_monitoring(recipe.name, windows, broken)
    return Looked(windows=windows, broken=broken)


def _look(platform: Platform, endpoint: Endpoint, recipe: Recipe) -> Window:
    window = stage.look_at(platform, endpoint)
    if not recipe.serving.capture:
        return window
    return window.model_copy(update={"drift": stage.drift_at(platform, endpoint)})
