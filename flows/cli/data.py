"""`finetune data`: check rows before training, and show how the model gets one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finetune_flows.flows.cli.common import Debug, Json, Overrides, group, out, print_json, set_up_logging
from finetune_flows.tasks.base.terminal import err

if TYPE_CHECKING:
    from finetune_flows.tasks.dataset.show import Token
    from finetune_flows.tasks.recipe import Recipe

app = group("Check rows before training.")

SourceOrRecipe = Annotated[
    str,
    typer.Argument(
        help="A recipe (YAML); or a file or folder of JSONL, JSON, CSV or Parquet, an address, or a hub id."
    ),
]
Question = Annotated[str | None, typer.Option(help="Text-to-SQL: column with the question.")]
Context = Annotated[str | None, typer.Option(help="Text-to-SQL: column with the schema.")]
Answer = Annotated[str | None, typer.Option(help="Text-to-SQL: column with the SQL query.")]
Dialect = Annotated[str | None, typer.Option(help="Text-to-SQL: sqlite, mysql, postgres or duckdb.")]


@app.callback()
def _data() -> None:
    """Check rows before training."""


@app.command()
def check(
    source: SourceOrRecipe,
    question: Question = None,
    context: Context = None,
    answer: Answer = None,
    dialect: Dialect = None,
    output: Annotated[
        Path, typer.Option(help="Folder in which to write the splits, quarantine.jsonl and audit.json.")
    ] = Path("data-check"),
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check, clean and split rows. Report what is wrong with each bad row. Train nothing.

    Without a recipe or --set problem.kind=..., the problem is guessed from the columns.

    Example: finetune data check examples/text-to-sql/rows.jsonl --set dataset.max_quarantined=0.01
    """
    set_up_logging(debug)
    from finetune_flows.tasks.dataset.build import build_dataset
    from finetune_flows.tasks.reporting.dataset_card import dataset_card

    columns = {"question": question, "context": context, "answer": answer, "dialect": dialect}
    recipe = _recipe_for(source, {name: column for name, column in columns.items() if column}, overrides or [])
    output.mkdir(parents=True, exist_ok=True)
    audit = build_dataset(recipe.dataset, recipe.problem, None, output)
    if as_json:
        print_json(audit.model_dump(mode="json"))
    else:
        out.print(dataset_card(audit), markup=False)
        out.print(f"\nFiles  {output}/", markup=False)
        out.print(f"Next   {_next(source, recipe)}")


def _next(source: str, recipe: "Recipe") -> str:
    if _is_recipe(source):
        return f"finetune run {source}"
    return f"finetune init NAME --problem {recipe.problem.kind}; then name {source} and its columns in NAME/NAME.yaml"


@app.command()
def show(
    source: SourceOrRecipe,
    row: Annotated[
        str, typer.Argument(help="Line or number of the row: 12, or b.jsonl:12 if there are several files.")
    ],
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Folder of a model, whose tokenizer shows the tokens. Default: the recipe's model."),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one row as the model gets it, token by token, and which tokens the model learns.

    Example: finetune data show recipes/demo.yaml 12
    """
    set_up_logging(debug)
    from finetune_flows.tasks.dataset.show import find_row, messages_of, tokens_of
    from finetune_flows.tasks.prepare import stage_base_model

    recipe = _recipe_for(source, {}, overrides or [])
    checked = find_row(recipe.dataset, recipe.problem, row)
    if checked.example is None:
        _print_refused(checked.reasons, as_json)
        raise typer.Exit(2)
    if tokenizer is None and _is_recipe(source):
        tokenizer = stage_base_model.fn(recipe.model, recipe.platform).path
    messages, tools = messages_of(recipe.problem, checked.example)
    tokens = tokens_of(recipe.problem, checked.example, tokenizer) if tokenizer else []
    if as_json:
        told = {"messages": messages, "tools": list(tools), "unused": list(checked.example.unused)}
        print_json(told | {"tokens": [token._asdict() for token in tokens]})
    else:
        _print_row(messages, checked.example.unused, tokens)


def _recipe_for(source: str, columns: dict[str, str], overrides: list[str]) -> "Recipe":
    """The recipe, or one for rows alone: text-to-SQL if its columns are given, else the problem of --set or a guess."""
    from finetune_flows.tasks.recipe import load_recipe, parse_recipe

    if _is_recipe(source):
        return load_recipe(Path(source), overrides)
    problem: dict[str, Any] = {"kind": "text-to-sql"} | columns
    if not columns:
        chosen = [text for text in overrides if text.startswith("problem.kind=")]
        problem = {"kind": chosen[-1].partition("=")[2]} if chosen else _guess(source, overrides)
    content = {"name": "data-check", "problem": problem, "dataset": {"source": source}, "model": {"source": "none"}}
    return parse_recipe(content, "data check", overrides)


def _is_recipe(source: str) -> bool:
    return Path(source).suffix.lower() in (".yaml", ".yml")


def _guess(source: str, overrides: list[str]) -> dict[str, Any]:
    from itertools import islice

    from finetune_flows.tasks.dataset.guess import guess_problem
    from finetune_flows.tasks.dataset.source import find_source

    given = dict(text.split("=", 1) for text in overrides if "=" in text)
    found = find_source(source, given.get("dataset.revision"), given.get("dataset.hub_split", "train"))
    problem = guess_problem([row.values for row in islice(found.rows(), 100) if row.values])
    words = ", ".join(f"{name}={value}" for name, value in problem.items() if name != "kind")
    err.print(
        f"finetune: guessed from the columns: problem.kind={problem['kind']}{words and ', with ' + words}. "
        "Change it with --set problem.kind=... and --set problem.<field>=...",
        markup=False,
    )
    return problem


def _print_refused(reasons: Any, as_json: bool) -> None:
    if as_json:
        print_json({"reasons": [reason._asdict() for reason in reasons]})
        return
    out.print("The row is quarantined:")
    for reason in reasons:
        out.print(f"- {reason.kind}: {reason.detail}", markup=False)


def _print_row(messages: list[dict[str, Any]], unused: tuple[str, ...], tokens: "list[Token]") -> None:
    for message in messages:
        more = {key: value for key, value in message.items() if key not in ("role", "content", "train")}
        learnt = " (learnt)" if message.get("train") else ""
        out.print(f"[{message['role']}]{learnt} {message['content']}{f' {more}' if more else ''}", markup=False)
    if unused:
        out.print(f"\nNot used: {', '.join(unused)}", markup=False)
    if tokens:
        out.print(f"\n{len(tokens):,} tokens, of which the model learns {sum(token.learnt for token in tokens):,}")
        for place, token in enumerate(tokens):
            out.print(f"{place:6} {token.id:8} {'learn' if token.learnt else '':5} {token.text!r}", markup=False)
