"""`finetune run` and `finetune evaluate`."""

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
    from finetune_flows.tasks.evaluation.scores import Scores
    from finetune_flows.tasks.reporting.outcome import Outcome

RecipeFile = Annotated[Path, typer.Argument(help="Recipe file, such as recipes/demo.yaml.")]


def run(
    recipe: RecipeFile,
    platform: Annotated[
        Literal["process", "docker", "sagemaker"] | None,
        typer.Option(help="Run on this platform instead of the recipe's."),
    ] = None,
    continue_from: Annotated[
        str | None,
        typer.Option(help="Continue training from the adapter of this model: the first letters of its digest."),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fine-tune a model, evaluate it, and serve it if it is better.

    Example: finetune run recipes/demo.yaml --set training.max_steps=60

    Exit codes: 0 promoted, 1 failed, 2 fix the recipe or the rows, 3 the gate did not pass the model.
    """
    set_up_logging(debug, f"reading {recipe}")
    content = read_recipe(recipe, overrides, platform)
    use_prefect()
    from finetune_flows.flows.finetune import finetune

    outcome = finetune(content, continue_from)
    if as_json:
        print_json(outcome.model_dump(mode="json"))
    else:
        show_outcome(outcome)
    raise typer.Exit(0 if outcome.promoted else 3)


def evaluate(
    recipe: RecipeFile,
    endpoint: Annotated[
        str | None,
        typer.Option(help="Name of an endpoint, or URL of a server with OpenAI's chat API. Default: the champion's."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model, if the server at the URL requires one.")] = None,
    key_variable: Annotated[
        str | None, typer.Option(help="Environment variable with the key of the server at the URL.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Score an endpoint on the recipe's test rows.

    Example: finetune evaluate recipes/demo.yaml --endpoint http://127.0.0.1:8080 --set evaluation.rows=100
    """
    set_up_logging(debug, f"reading {recipe}")
    content = read_recipe(recipe, overrides)
    use_prefect()
    from finetune_flows.flows.evaluate import evaluate as evaluate_flow
    from finetune_flows.tasks.evaluation.files import read_scores

    evaluation = evaluate_flow(content, endpoint, model, key_variable)
    scores = read_scores(evaluation)
    if as_json:
        print_json(scores.model_dump(mode="json"))
        return
    out.print(_scores_table({"endpoint": scores}))
    out.print(f"Wrong answers  {evaluation.uri}/wrong_answers.md")


_HEADINGS = {
    "passed": "Promoted:",
    "cannot tell": "Not promoted, because these rows cannot tell:",
    "awaits approval": "Not promoted yet, because a person has to approve it:",
}


def show_outcome(outcome: "Outcome") -> None:
    """Prints the scores, the decision, the files and the next command."""
    from finetune_flows.tasks.artifacts.runs import latest_recipe
    from finetune_flows.tasks.evaluation.files import compare_evaluations, read_scores
    from finetune_flows.tasks.reporting.words import gain

    base, tuned = read_scores(outcome.base_evaluation), read_scores(outcome.evaluation)
    out.print(_scores_table({base.who: base, tuned.who: tuned}))
    metric = outcome.metric
    comparison = compare_evaluations(metric, outcome.base_evaluation, outcome.evaluation)
    out.print(f"Gain in {metric}: {gain(comparison)}\n")
    out.print(
        _HEADINGS.get(outcome.decision, "Not promoted:"), style="bold green" if outcome.promoted else "bold yellow"
    )
    for reason in outcome.reasons:
        out.print(f"  {reason}")
    out.print(f"\nModel          {outcome.model.uri}")
    out.print(f"Wrong answers  {outcome.evaluation.uri}/wrong_answers.md")
    if outcome.report:
        out.print(f"Report         {outcome.report}")
    if outcome.endpoint is None:
        out.print("Next           read the wrong answers, then change the recipe and run it again")
        out.print(
            f"Or             finetune promote {outcome.recipe} --model {outcome.model.digest[:8]} --anyway  (serves it all the same)"
        )
        return
    until = outcome.endpoint.labels.expires_at.astimezone()
    out.print(f"Address        {outcome.address} (the same for every champion; serves until {until:%H:%M})")
    out.print(f"Endpoint       {outcome.endpoint.name}")
    recipe = latest_recipe(outcome.recipe)
    example = recipe.problem.example if recipe else '"Hello"'
    out.print(f"Next           finetune endpoint call {outcome.recipe} {example}")


def _scores_table(scores: "dict[str, Scores]") -> Table:
    from finetune_flows.tasks.reporting.words import with_interval

    table = Table("metric", "n", *scores, title="Scores, with 95 % intervals", title_justify="left")
    *_, last = scores.values()
    for metric, proportion in last.metrics.items():
        cells = (with_interval(each.metrics[metric]) for each in scores.values())
        table.add_row(metric, str(proportion.n), *cells)
    for name, estimate in last.estimates.items():
        table.add_row(name, str(estimate.n), *(_estimated(each, name) for each in scores.values()))
    return table


def _estimated(scores: "Scores", name: str) -> str:
    score = scores.estimates.get(name)
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})" if score else ""
