"""`finetune init` and `finetune recipes`: start a project of one's own."""

from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding

from finetune_flows.flows.cli.common import Debug, Json, out, print_json, set_up_logging


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; it is created if necessary.")] = Path("."),
    problem: Annotated[
        str, typer.Option(help="What the model should learn: text-to-sql, text-classification or chat.")
    ] = "text-to-sql",
    name: Annotated[
        str | None, typer.Option(help="Name of the recipe and its endpoint. Default: the folder's name.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a recipe, rows to try it with, prefect.yaml and .gitignore. Overwrite nothing.

    The project runs as it is, on a CPU and without a download. Then replace the rows by your own.

    Example: finetune init tickets --problem text-classification
    """
    set_up_logging(debug)
    from finetune_flows.tasks.project.layout import lay_out, name_for

    files = lay_out(folder, problem, name or name_for(folder))
    if as_json:
        print_json({"files": [str(path) for path in files]})
        return
    recipe, rows, *others = (path.name for path in files)
    for path, what in ((recipe, "the recipe"), (rows, "rows to try it with"), *((other, "") for other in others)):
        out.print(f"{path:<20} {what}".rstrip())
    out.print(f"\nNext: {'' if folder == Path('.') else f'cd {folder}; '}finetune run {recipe}")


def recipes(
    name: Annotated[str | None, typer.Argument(help="Copy this recipe and its rows. Default: list all.")] = None,
    folder: Annotated[Path, typer.Option("--to", help="Folder to copy into.")] = Path("."),
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the recipes that come with the package, or copy one.

    Example: finetune recipes demo
    """
    set_up_logging(debug)
    from finetune_flows.tasks.project.shipped import copy_recipe, shipped_recipes

    if name:
        files = copy_recipe(name, folder)
        if as_json:
            print_json({"files": [str(path) for path in files]})
        else:
            out.print("\n".join(map(str, files)))
            out.print(f"\nNext: {'' if folder == Path('.') else f'cd {folder}; '}finetune run {files[0].name}")
        return
    shipped = shipped_recipes()
    if as_json:
        print_json([recipe.model_dump(mode="json") for recipe in shipped])
        return
    for recipe in shipped:
        out.print(f"{recipe.name} ({recipe.problem})", style="bold")
        out.print(Padding(recipe.purpose, (0, 0, 1, 2)), soft_wrap=False)
    out.print("Next: finetune recipes NAME copies one; finetune init starts a project")
