"""Plan a run: which steps are done already, what it would create, and what prevents it. Creates nothing."""

from collections.abc import Callable
from pathlib import Path

from prefect import task

from finetune_flows.tasks.artifacts import base_model
from finetune_flows.tasks.artifacts.references import Kind, Reference
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.base.errors import FinetuneError, RecipeError
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.deploy import endpoint_name, endpoint_spec
from finetune_flows.tasks.evaluate import scores_key
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import Intent
from finetune_flows.tasks.preflight.report import Report
from finetune_flows.tasks.preflight.sources import SOURCE_CHECKS
from finetune_flows.tasks.prepare import dataset_key
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.retrying import RETRIES
from finetune_flows.tasks.train import training_job, training_key

STEPS = ("base model", "dataset", "evaluation of the base model", "tuned model", "evaluation of the tuned model")


class Made(Frozen):
    """Results of earlier runs, as far as they can be looked up without making the missing ones."""

    references: dict[str, Reference]
    unknown: str = ""

    def step(self, name: str) -> Reference:
        """The artefact of a step. If it is not made yet, a placeholder with a digest of zeros."""
        kind: Kind = "base-model" if name == "base model" else "dataset" if name == "dataset" else "model"
        absent = Reference(kind=kind, uri=f"not-made-yet/{kind}", digest="0" * 64, size=0, step_key="0" * 64)
        return self.references.get(name, absent)


def find_made(recipe: Recipe) -> Made:
    """Looks up the result of each step by its key. The key of a step is known only if the previous one is made."""
    store, found = Store(), dict[str, Reference]()

    def look(step: str, kind: Kind, key: str) -> Reference | None:
        reference = store.find(kind, key)
        if reference is not None:
            found[step] = reference
        return reference

    try:
        base = look("base model", "base-model", base_model.staging_key(recipe.model))
        dataset = base and look("dataset", "dataset", dataset_key(recipe.dataset, recipe.problem, base))
        if base and dataset:
            look(STEPS[2], "evaluation", scores_key(recipe, base, dataset))
            model = look("tuned model", "model", training_key(recipe, base, dataset))
            if model:
                look(STEPS[4], "evaluation", scores_key(recipe, model, dataset))
    except (FinetuneError, OSError) as error:  # the hub cannot be reached, or the rows are missing
        return Made(references=found, unknown=" ".join(str(error).split()))
    return Made(references=found)


def look_ahead(recipe: Recipe, made: Callable[[], Made]) -> Report | None:
    """The platform's checks of the run; None on platforms where a missing part shows by itself and costs nothing."""
    return platform_of(recipe.platform).preflight(lambda: intent_of(recipe, made()))


def intent_of(recipe: Recipe, made: Made) -> Intent:
    """The job and the endpoints that a run would ask of its platform."""
    base, dataset, model = made.step("base model"), made.step("dataset"), made.step("tuned model")
    known = {"base model", "dataset"} <= made.references.keys()
    key = training_key(recipe, base, dataset) if known else "0" * 64
    return Intent(
        recipe=recipe,
        job=training_job(recipe, base, dataset, key),
        endpoints=[
            endpoint_spec(recipe, endpoint_name(recipe, base, "base"), base.path, base),
            endpoint_spec(recipe, endpoint_name(recipe, model), Path(model.uri) / "model", model),
        ],
    )


@task(name="preflight", **RETRIES)
def preflight(recipe: Recipe) -> Recipe:
    """Checks before any cost whether the platform can run the recipe. Returns it with its job limited to the budget.

    Raises:
        RecipeError: all problems together, each with its remedy. Nothing was uploaded.
    """
    missing = [problem for check in SOURCE_CHECKS for problem in check(recipe)]
    if missing:
        raise RecipeError(recipe.name, missing)
    report = look_ahead(recipe, lambda: find_made(recipe))
    if report is None:
        return recipe
    for finding in report.findings:
        if finding.ok:
            log.info("preflight: %s: %s", finding.what, finding.found)
    log.info("preflight: the run costs at most $%.2f", report.estimate.usd)
    report.refuse()
    return report.recipe
