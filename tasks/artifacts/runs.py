"""A small record of every run: the resolved recipe when it starts, the outcome or the failure when it ends.

A run that is killed never writes its end. So a new record already says what to assume then.
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.files import home, read_model, write_json
from finetune_flows.tasks.base.values import Frozen, now
from finetune_flows.tasks.recipe import Recipe, dump_recipe, load_saved_recipe

log = logging.getLogger("finetune")


class Run(Frozen):
    """One line of `finetune runs`."""

    id: str
    recipe: str
    started: datetime
    ended: datetime | None = None
    result: str = "running, or ended without a word"
    outcome: dict[str, Any] | None = None


def start_run(recipe: Recipe, flow_run: str) -> Path:
    """Creates the run's folder and saves the resolved recipe in it."""
    started = now()
    identifier = f"{started:%Y%m%d-%H%M%S}-{recipe.name}-{flow_run[:8]}"
    folder = home() / "runs" / identifier
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    write_json(folder / "run.json", Run(id=identifier, recipe=recipe.name, started=started).model_dump(mode="json"))
    return folder


def ending(error: BaseException) -> str:
    """How a run ended that raised `error`: Ctrl-C, SIGTERM and Prefect's cancellation are no failures."""
    return (
        f"{type(error).__name__}: {error}" if isinstance(error, Exception) else "stopped; the same command carries on"
    )


def end_run(folder: Path, result: str, outcome: dict[str, Any] | None = None) -> None:
    """Records how the run ended. A record that cannot be written is a warning: it must not hide why a run failed."""
    run = read_model(folder / "run.json", Run)
    if run is None:
        return
    ended = run.model_copy(update={"ended": now(), "result": result, "outcome": outcome})
    try:
        write_json(folder / "run.json", ended.model_dump(mode="json"))
    except OSError as error:
        log.warning("the end of the run could not be recorded in %s: %s", folder, error.strerror)


def list_runs() -> list[Run]:
    """All runs, the newest last."""
    runs = [read_model(path, Run) for path in sorted((home() / "runs").glob("*/run.json"))]
    return [run for run in runs if run is not None]


def latest_recipe(name: str) -> Recipe | None:
    """The recipe of this name from its latest run; None when it was never run."""
    folders = [home() / "runs" / run.id for run in list_runs() if run.recipe == name]
    return load_saved_recipe(folders[-1] / "recipe.yaml") if folders else None
