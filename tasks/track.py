"""Track: write a run into the experiment tracking that the recipe names, while it goes on and at its end."""

from pathlib import Path

from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.watching import Watcher


def track_live(recipe: Recipe, folder: Path) -> list[Watcher]:
    """What writes the run into the tracking while it goes on; empty if nothing does, or nothing can."""
    if recipe.tracking.to == "none":
        return []
    from finetune_flows.tasks.reporting.tracking import LiveRun

    try:
        return [LiveRun.begin(recipe, folder.name)]
    except Exception as error:
        log.warning("the run is not written into MLflow while it goes on: %s", error)
        return []


def track_run(facts: RunFacts, folder: Path) -> bool:
    """Returns whether the run was written. A tracking server that is down must not fail a run that was paid for."""
    if facts.recipe.tracking.to == "none":
        return False
    from finetune_flows.tasks.reporting.tracking import track  # imported here: a run needs it only at its end

    try:
        log.info("written into MLflow: %s", track(facts, folder))
    except Exception as error:
        log.warning("the run could not be written into MLflow: %s", error)
        return False
    return True
