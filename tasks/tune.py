"""Tune: run training jobs with different settings and compare them on the validation rows, never on the test rows."""

import json
from pathlib import Path

from prefect import task
from prefect.concurrency.sync import concurrency

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.statistics import Proportion
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import TrainingJob
from finetune_flows.tasks.progress import log, progress
from finetune_flows.tasks.recipe import Recipe, TrainingSettings, dump_recipe
from finetune_flows.tasks.retrying import RETRIES
from finetune_flows.tasks.train import TRAINING_LIMIT, training_job
from finetune_flows.tasks.tuning.budget import Budget
from finetune_flows.tasks.tuning.trials import Setting, TrialFacts, Tuned, short

TUNING_VERSION = 1


def tuning_key(recipe: Recipe, base: Reference, dataset: Reference) -> str:
    """What all trials have in common. Their number, parallelism and hours are left out, so that a search can be extended."""
    axes = {name: axis.model_dump(mode="json") for name, axis in recipe.tuning.axes(recipe.training).items()}
    settings = recipe.training.model_dump(mode="json", exclude={*recipe.training.WITHOUT_EFFECT, *axes})
    return step_key("tune", TUNING_VERSION, {"axes": axes, "training": settings}, [base.digest, dataset.digest])


# Call it directly, never with .submit: a wait in a thread would not receive the signals that cancel it (Prefect 3.8).
@task(name="tune", **RETRIES)
def tune_training(recipe: Recipe, base: Reference, dataset: Reference) -> Tuned:
    """Runs the trials of the recipe's `tuning` and writes the best as a recipe. Trials of earlier searches count.

    Raises:
        RecipeError: there are no validation rows.
        JobFailed: the first trainings all failed.
    """
    from finetune_flows.tasks.tuning.search import Search
    from finetune_flows.tasks.tuning.study import Study

    rows = validation_rows(dataset)
    if not rows:
        raise RecipeError(
            recipe.name,
            ["dataset.validation_share: a search compares trials on validation rows, so set a share above 0"],
        )
    key, settings, section = tuning_key(recipe, base, dataset), recipe.training, recipe.tuning
    folder = home() / "tuning" / f"{recipe.name}-{key[:12]}"
    study = Study(folder, section, section.axes(settings), settings.best_by != "loss", settings.seed)

    def job_of(values: dict[str, Setting], hours: float) -> TrainingJob:
        return trial_job(recipe, base, dataset, values, hours)

    search = Search(
        study, platform_of(recipe.platform), job_of, budget_of(recipe), settings.best_by, settings.keep == "best"
    )
    with concurrency(TRAINING_LIMIT), progress("tune", "tuning-progress") as update:

        def on_trial(facts: TrialFacts) -> None:
            best = study.best()
            found = f"best {settings.best_by} {short(best.value)}" if best else "no trial has finished yet"
            log.info("trial %d %s: %s %s", facts.number, facts.ending, settings.best_by, short(facts.value))
            update(len(study.facts()), section.trials, found)

        search.run(section.parallel, on_trial)
    return _result(recipe, study.facts(), study.best(), rows, folder)


def trial_job(
    recipe: Recipe, base: Reference, dataset: Reference, values: dict[str, Setting], hours: float
) -> TrainingJob:
    """A training with these settings. Its weights are not stored, so those of a language model are not merged."""
    settings = _with(recipe.training, values)
    key = step_key("trial", TUNING_VERSION, settings, [base.digest, dataset.digest])
    if recipe.problem.generates:
        settings = settings.model_copy(update={"merge": "none"})
    job = training_job(recipe.model_copy(update={"training": settings}), base, dataset, key)
    return job.model_copy(update={"max_runtime_seconds": hours * 3600})


def validation_rows(dataset: Reference) -> int:
    """Number of rows on which the trials are compared."""
    audit = json.loads((dataset.path / "audit.json").read_text(encoding="utf-8"))
    return int(audit["splits"]["validation"])


def budget_of(recipe: Recipe) -> Budget:
    """The recipe's hours, or the hours that the platform's budget buys if they are fewer."""
    hours, longest = recipe.tuning.max_hours, recipe.platform.max_runtime_hours
    bought = platform_of(recipe.platform).training_hours(recipe)
    if bought is not None:
        hours = bought if hours is None else min(hours, bought)
    return Budget(hours, longest)


def _with(training: TrainingSettings, values: dict[str, Setting]) -> TrainingSettings:
    return TrainingSettings.model_validate(training.model_dump() | values)


def _result(recipe: Recipe, trials: list[TrialFacts], best: TrialFacts | None, rows: int, folder: Path) -> Tuned:
    metric = recipe.training.best_by
    found = Tuned(
        recipe=recipe.name,
        metric=f"validation {metric}",
        higher_is_better=metric != "loss",
        validation_rows=rows,
        trials=trials,
        best=best,
        interval=Proportion.of(round((best.value or 0) * rows), rows) if best and metric == "accuracy" else None,
        hours=sum(each.hours for each in trials),
        left_out="" if len(trials) >= recipe.tuning.trials else "The search stopped early: its hours were used up.",
    )
    if best is None:
        return found
    winner = recipe.model_copy(update={"training": _with(recipe.training, best.settings)})
    path = folder / "best.yaml"
    path.write_text(dump_recipe(winner), encoding="utf-8")
    return found.model_copy(update={"best_recipe": str(path)})
