"""`finetune retrain`, `promote`, `rollback` and `history`: the model that serves, and why."""

from pathlib import Path
from typing import Annotated

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

Recipe = Annotated[str, typer.Argument(help="Name of the recipe, as `finetune runs` shows it.")]
Reason = Annotated[str, typer.Option(help="Reason, stored with the decision.")]


def promote(
    recipe: Recipe,
    model: Annotated[
        str | None, typer.Option(help="First letters of the model's digest. Default: the latest candidate.")
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Promote it even if the gate did not pass it.")] = False,
    reason: Reason = "by hand",
    debug: Debug = False,
) -> None:
    """Promote an earlier candidate. This also approves a candidate that awaits approval.

    Example: finetune promote demo --reason "looked at its wrong answers"
    """
    set_up_logging(debug, f"promoting a model of {recipe}")
    use_prefect()
    from finetune_flows.flows.promote import promote as promote_flow

    alias = promote_flow(recipe, model, anyway, reason=reason)
    if alias is not None:
        out.print(f"{alias.url} leads to {alias.endpoint}")


def retrain(
    recipe: Annotated[Path, typer.Argument(help="Recipe file, such as recipes/demo.yaml.")],
    min_new_rows: Annotated[int, typer.Option(help="Do nothing if there are fewer new rows.", min=1)] = 1,
    continue_champion: Annotated[
        bool, typer.Option("--continue", help="Continue from the champion's adapter instead of the base model.")
    ] = False,
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fine-tune again if there are new rows. Promote the model if it passes the gate on the champion's test rows.

    Example: finetune retrain recipes/demo.yaml --min-new-rows 100

    Exit codes: 0 promoted, or nothing to do; 1 failed; 2 fix the recipe or the rows; 3 the champion keeps serving.
    """
    set_up_logging(debug, f"reading {recipe}")
    content = read_recipe(recipe, overrides)
    use_prefect()
    from finetune_flows.flows.cli.run import show_outcome
    from finetune_flows.flows.retrain import retrain as retrain_flow

    done = retrain_flow(content, min_new_rows, continue_champion)
    if as_json:
        print_json(done.model_dump(mode="json"))
    elif done.outcome is not None:
        show_outcome(done.outcome)
    else:
        out.print(f"Nothing to do: {done.skipped}")
    raise typer.Exit(3 if done.outcome and not done.outcome.promoted else 0)


def rollback(recipe: Recipe, reason: Reason = "by hand", debug: Debug = False) -> None:
    """Return to the previous champion. Start its endpoint again if it is gone.

    Example: finetune rollback demo --reason "users complain"
    """
    set_up_logging(debug, f"rolling back {recipe}")
    use_prefect()
    from finetune_flows.flows.promote import rollback as rollback_flow

    alias = rollback_flow(recipe, reason)
    out.print(f"{alias.url} leads to {alias.endpoint}")


def history(recipe: Recipe, as_json: Json = False) -> None:
    """Show a recipe's decisions with their reasons. Then show every change of the champion.

    Example: finetune history demo
    """
    from finetune_flows.tasks.evaluation.registry import Registry
    from finetune_flows.tasks.platforms import platforms_in_use

    record = Registry().read(recipe)
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    table = Table("judged", "model", "decision", "why")
    running = {endpoint.model_digest for platform in platforms_in_use() for endpoint in platform.endpoints()}
    for entry in record.history:
        champion = record.champion is not None and record.champion.model == entry.model
        serves = "" if not champion else " (serves)" if entry.model.digest in running else " (champion, not running)"
        when = entry.decided_at.astimezone()
        digest, why = entry.model.digest[:8] + serves, "\n".join(entry.decision.reasons)
        table.add_row(f"{when:%Y-%m-%d %H:%M}", digest, entry.decision.outcome, why)
    out.print(table if record.history else f"The gate has not decided on {recipe} yet. Next: finetune run RECIPE_FILE")
    if record.switching:
        out.print("The last change of the champion is under way or was cut off: give its command again to complete it")
    for switch in record.switches:
        when = switch.at.astimezone()
        out.print(f"{when:%Y-%m-%d %H:%M}  {switch.action}: {switch.model[:8]}  ({switch.reason})")
