"""Train again when there are new rows, on the same test, and let the new model serve only when it holds its own."""

from prefect import flow
from pydantic import Field

from finetune_flows.flows.finetune import Outcome, finetune
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.prepare import freeze_test, new_rows, prepare_dataset, stage_base_model
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.train import training_key


class Retrained(Frozen):
    """What came of it."""

    recipe: str
    new_rows: int | None = Field(description="Training rows that the champion has not seen; None without a champion.")
    skipped: str | None = Field(None, description="Why nothing was trained.")
    outcome: Outcome | None = Field(None, description="What was trained, judged and decided.")


@flow(name="retrain", flow_run_name="{recipe.name}")
def retrain(recipe: Recipe, min_new_rows: int = 1, continue_champion: bool = False) -> Retrained:
    """Looks at the recipe's rows. When enough of them are new, fine-tunes on all and lets the gate decide, else skips.

    The test stays the champion's, row by row: no new row gets into it, and none that asks the same or shares a group
    with it gets into training. Without a champion, it is a first fine-tuning.

    Args:
        recipe: As for finetune. Its source may have got new rows, or new files in its folder.
        min_new_rows: Fewer new rows than these are not worth a training.
        continue_champion: Training goes on from the champion's adapter, which is quicker to learn a few new rows;
            otherwise it starts from the base model.
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
        log.info("%s is not trained again: %s", recipe.name, skipped)
        return Retrained(recipe=recipe.name, new_rows=count, skipped=skipped)
    log.info("%s has %s new rows", recipe.name, f"{count:,}")
    return Retrained(recipe=recipe.name, new_rows=count, outcome=finetune(frozen, start.digest if start else None))


def _nothing_to_do(name: str, count: int, wanted: int, key: str) -> str | None:
    """Why there is nothing to train; None when there is."""
    if count < wanted:
        return f"{count:,} new rows since the champion was trained, {wanted:,} wanted"
    for entry in reversed(Registry().read(name).history):
        if entry.model.step_key == key:
            return f"these rows were trained on and judged already, at {entry.decided_at}: {entry.decision.outcome}"
    return None
