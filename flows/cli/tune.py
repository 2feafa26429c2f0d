"""`finetune tune`: a search for better training settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from finetune_flows.flows.cli.common import (
    Debug,
    Json,
    Overrides,
    out,
    print_json,
    read_recipe,
    set_up_logging,
    use_prefect,
)
from finetune_flows.tasks.base.terminal import Table

if TYPE_CHECKING:
    from finetune_flows.tasks.tuning.trials import Tuned


def tune(
    recipe: Annotated[Path, typer.Argument(help="Recipe file, such as recipes/sentiment.yaml.")],
    platform: Annotated[
        Literal["process", "docker", "sagemaker"] | None,
        typer.Option(help="Run on this platform instead of the recipe's."),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Search for better training settings. Compare trials on the validation rows and write the best recipe.

    Example: finetune tune recipes/sentiment.yaml --set tuning.trials=12 --set tuning.parallel=2

    Exit codes: 0 found, 1 failed, 2 fix the recipe or the rows, 3 no training finished.
    """
    set_up_logging(debug, f"reading {recipe}")
    content = read_recipe(recipe, overrides, platform)
    use_prefect()
    from finetune_flows.flows.tune import tune as tune_flow

    tuned = tune_flow(content)
    if as_json:
        print_json(tuned.model_dump(mode="json"))
    else:
        show_tuned(tuned)
    raise typer.Exit(0 if tuned.best else 3)


def show_tuned(tuned: "Tuned") -> None:
    """Prints the trials, the best first, and the next command."""
    from finetune_flows.tasks.reporting.tuning_card import ranked, verdict
    from finetune_flows.tasks.tuning.trials import short

    names = list(tuned.trials[0].settings) if tuned.trials else []
    table = Table(
        "trial", tuned.metric, *names, "ending", "minutes", title="Trials, the best first", title_justify="left"
    )
    for each in ranked(tuned):
        values = (short(each.settings[name]) for name in names)
        table.add_row(str(each.number), short(each.value), *values, each.ending, f"{60 * each.hours:.1f}")
    out.print(table)
    out.print(f"{verdict(tuned)}. {tuned.left_out}\n")
    if tuned.report:
        out.print(f"Report       {tuned.report}")
    if tuned.best_recipe:
        out.print(f"Best recipe  {tuned.best_recipe}")
        out.print(f"Next         finetune run {tuned.best_recipe}")
