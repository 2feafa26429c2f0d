"""Track: a finished run, told to the experiment tracking that the recipe names."""

from pathlib import Path

from finetune_flows.tasks.progress import log
from finetune_flows.tasks.reporting.facts import RunFacts


def track_run(facts: RunFacts, folder: Path) -> bool:
    """Whether the run was written. A run that was paid for does not fail because somebody's server is away."""
    if facts.recipe.tracking.to == "none":
        return False
    from finetune_flows.tasks.reporting.tracking import track  # what it needs, a run needs only at its end

    try:
        log.info("written into MLflow: %s", track(facts, folder))
    except Exception as error:
        log.warning("the run could not be written into MLflow: %s", error)
        return False
    return True
