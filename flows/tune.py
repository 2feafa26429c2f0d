"""Search for better training settings of one recipe, by many trainings."""

from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from finetune_flows.tasks import report
from finetune_flows.tasks.artifacts.runs import end_run, ending, start_run
from finetune_flows.tasks.plan import preflight
from finetune_flows.tasks.prepare import prepare_dataset, stage_base_model
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.tune import tune_training
from finetune_flows.tasks.tuning.trials import Tuned


@flow(name="tune", flow_run_name="{recipe.name}")
def tune(recipe: Recipe) -> Tuned:
    """Trains with different settings, several at once, and writes the best ones as a recipe.

    Trials are compared on the validation rows; the test rows stay unseen. A search continues where an earlier one stopped.

    Args:
        recipe: As for finetune. Its tuning section sets which settings to search, the number of trials and their hours.
    """
    folder = start_run(recipe, str(flow_run.get_id()))
    try:
        recipe = preflight(recipe)
        base = stage_base_model(recipe.model, recipe.platform)
        dataset = prepare_dataset(recipe.dataset, recipe.problem, base)
        report.publish_dataset(dataset)
        tuned = tune_training(recipe, base, dataset)
        page = report.save_tuning(folder, tuned, Path(tuned.best_recipe).parent if tuned.best_recipe else folder)
        report.publish_tuning(tuned)
    except BaseException as error:  # also when Prefect cancels the run: its TerminationSignal is no Exception
        end_run(folder, ending(error))
        raise
    tuned = tuned.model_copy(update={"report": str(page) if page else None})
    end_run(folder, "tuned", tuned.model_dump(mode="json"))
    return tuned
