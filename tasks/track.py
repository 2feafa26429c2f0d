"""Track: write a finished run into the experiment tracking that the recipe names."""

from pathlib import Path

from finetune_flows.tasks.progress import log
from finetune_flows.tasks.reporting.facts import RunFacts


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
