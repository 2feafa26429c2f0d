"""`finetune data`: check rows before training."""

from pathlib import Path
from typing import Annotated

import typer

from finetune_flows.flows.cli.common import Debug, Json, Overrides, group, out, print_json, set_up_logging

app = group("Check rows before training.")


@app.callback()
def _data() -> None:
    """Without a callback, typer would make the only command of a group the group itself."""


@app.command()
def check(
    source: Annotated[str, typer.Argument(help="File or folder of JSONL, JSON, CSV or Parquet, or a hub id.")],
    question: Annotated[str, typer.Option(help="Column with the question.")] = "question",
    context: Annotated[str, typer.Option(help="Column with the schema.")] = "context",
    answer: Annotated[str, typer.Option(help="Column with the SQL query.")] = "answer",
    dialect: Annotated[str, typer.Option(help="Dialect of the SQL: sqlite, mysql, postgres or duckdb.")] = "sqlite",
    output: Annotated[
        Path, typer.Option(help="Folder in which to write the splits, quarantine.jsonl and audit.json.")
    ] = Path("data-check"),
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check, clean and split rows. Report what is wrong with each bad row. Train nothing.

    The rows must have a question, a schema and an SQL query.

    Example: finetune data check examples/text-to-sql/rows.jsonl --set dataset.max_quarantined=0.01
    """
    set_up_logging(debug)
    from finetune_flows.tasks.dataset.build import build_dataset
    from finetune_flows.tasks.recipe import parse_recipe
    from finetune_flows.tasks.reporting.dataset_card import dataset_card

    columns = {"question": question, "context": context, "answer": answer, "dialect": dialect}
    content = {
        "name": "data-check",
        "problem": {"kind": "text-to-sql"} | columns,
        "dataset": {"source": source},
        "model": {"source": "none"},
    }
    recipe = parse_recipe(content, "data check", overrides or [])
    output.mkdir(parents=True, exist_ok=True)
    audit = build_dataset(recipe.dataset, recipe.problem, None, output)
    if as_json:
        print_json(audit.model_dump(mode="json"))
    else:
        out.print(dataset_card(audit))
        out.print(f"\nFiles  {output}/")
