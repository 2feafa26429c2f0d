"""Train again when there are new rows, and promote the new model only if it passes the gate on the champion's test."""

from prefect import flow
from pydantic import Field

from finetune_flows.flows.finetune import finetune
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.prepare import freeze_test, new_rows, prepare_dataset, stage_base_model
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.outcome import Outcome
from finetune_flows.tasks.train import training_key


class Retrained(Frozen):
    """The outcome of the new training, or why there was none."""

    recipe: str
    new_rows: int | None = Field(description="Training rows that the champion has not seen; None without a champion.")
    skipped: str | None = Field(None, description="Why nothing was trained.")
    outcome: Outcome | None = Field(None, description="The outcome of the training; None if nothing was trained.")


@flow(name="retrain", flow_run_name="{recipe.name}")
def retrain(recipe: Recipe, min_new_rows: int = 1, continue_champion: bool = False) -> Retrained:
    """Counts the new rows of a recipe. If there are enough, fine-tunes on all rows and lets the gate decide.

    The test rows stay the champion's. No new row is added to them, and a row that asks the same as a test row or shares
    a group with one stays out of training. Without a champion, this is the same as finetune.

    Args:
        recipe: As for finetune. Its source may have new rows, or new files in its folder.
        min_new_rows: Do nothing if there are fewer new rows than this.
        continue_champion: Continue training from the champion's adapter, which learns a few new rows faster. Default:
            start from the base model.
    """
    champion = Registry().read(recipe.name).champion
    if champion is None:
        return Retrained(recipe=recipe.name, new_rows=None, outcome=finetune(recipe))
    frozen = freeze_test(recipe, champion)
    base = stage_base_model(frozen.model, frozen.platform)
    dataset = prepare_dataset(frozen.dataset, frozen.problem, base)
    count = new_rows(champion.dataset, dataset)
    start = champion.model if continue_champion else None
    skipped = _nothing_to_do(recipe.name, count, min_new_rows, training_key(frozen, base, dataset, start))
    if skipped:
        log.info("%s is not retrained: %s", recipe.name, skipped)
        return Retrained(recipe=recipe.name, new_rows=count, skipped=skipped)
    log.info("%s has %s new rows", recipe.name, f"{count:,}")
    return Retrained(recipe=recipe.name, new_rows=count, outcome=finetune(frozen, start.digest if start else None))


def _nothing_to_do(name: str, count: int, wanted: int, key: str) -> str | None:
    """Why there is nothing to train; None when there is."""
    if count < wanted:
        return f"{count:,} new rows since the champion was trained; min_new_rows is {wanted:,}"
    for entry in reversed(Registry().read(name).history):
        if entry.model.step_key == key:
            return (
                f"a model trained on these rows was evaluated already, at {entry.decided_at}: {entry.decision.outcome}"
            )
    return None
