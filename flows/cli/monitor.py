"""`finetune monitor`: the state of a recipe's endpoints."""

from typing import TYPE_CHECKING, Annotated

import typer

from finetune_flows.flows.cli.common import Debug, Json, Overrides, out, print_json, set_up_logging, use_prefect

if TYPE_CHECKING:
    from finetune_flows.tasks.recipe import Recipe


def monitor(
    recipe: Annotated[str, typer.Argument(help="Name of the recipe, as `finetune runs` shows it.")],
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what a recipe's endpoints did since the last look. Report latency, errors, load, drift and broken limits.

    Example: finetune monitor demo --set monitoring.p95_seconds=2 --set monitoring.error_rate=0.05

    Exit codes: 0 within the limits; 1 failed; 3 a limit is broken.
    """
    set_up_logging(debug, f"looking at the endpoints of {recipe}")
    content = _recipe(recipe, overrides or [])
    use_prefect()
    from rich.markdown import Markdown

    from finetune_flows.flows.monitor import monitor as monitor_flow
    from finetune_flows.tasks.reporting.monitoring_card import monitoring_card

    looked = monitor_flow(content)
    if as_json:
        print_json(looked.model_dump(mode="json"))
    else:
        out.print(Markdown(monitoring_card(recipe, looked.windows, looked.broken)))
    raise typer.Exit(3 if looked.broken else 0)


def _recipe(name: str, overrides: list[str]) -> "Recipe":
    """The recipe of its last run, with the overrides applied."""
    from finetune_flows.tasks.artifacts.runs import latest_recipe
    from finetune_flows.tasks.base.errors import EndpointFailed
    from finetune_flows.tasks.recipe import parse_recipe

    recipe = latest_recipe(name)
    if recipe is None:
        raise EndpointFailed(f"no recipe named {name} was run here; `finetune runs` shows the recipes that were")
    return parse_recipe(recipe.model_dump(mode="json"), name, overrides)
