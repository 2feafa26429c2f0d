"""`finetune endpoint`: what serves now."""

from typing import Annotated

import typer
from rich.table import Table

from flows.cli.common import Json, out, print_json

app = typer.Typer(no_args_is_help=True, help="List, call and delete endpoints.")
Name = Annotated[str, typer.Argument(help="Name of the endpoint, as `finetune endpoint list` shows it.")]


@app.command("list")
def list_endpoints(as_json: Json = False) -> None:
    """Show the endpoints that run, and when they stop by themselves.

    Example: finetune endpoint list
    """
    from tasks.platforms import platforms_in_use

    endpoints = [endpoint for platform in platforms_in_use() for endpoint in platform.endpoints()]
    if as_json:
        print_json([endpoint.model_dump(mode="json") for endpoint in endpoints])
        return
    table = Table("name", "recipe", "address", "until")
    for endpoint in endpoints:
        until = endpoint.labels.expires_at.astimezone()
        table.add_row(endpoint.name, endpoint.labels.recipe, endpoint.url, f"{until:%Y-%m-%d %H:%M}")
    out.print(table if endpoints else "No endpoint runs. Next: finetune run recipes/demo.yaml")


@app.command()
def call(
    name: Name,
    question: Annotated[str, typer.Argument(help="What to ask.")],
    context: Annotated[str, typer.Option(help="The schema, as CREATE TABLE statements.")] = "",
    max_tokens: Annotated[int, typer.Option(help="Longest answer in tokens.")] = 256,
    as_json: Json = False,
) -> None:
    """Ask an endpoint one question, with the prompt that its model was trained on.

    Example: finetune endpoint call demo-1a2b3c4d "How many ships are there?" --context "CREATE TABLE ships (name TEXT)"
    """
    from flows.evaluate import find_endpoint
    from tasks.artifacts.runs import latest_recipe
    from tasks.platforms.connect import sync_client
    from tasks.problems import problem_of

    endpoint, _ = find_endpoint(name)
    recipe = latest_recipe(endpoint.labels.recipe)
    prompt = [{"role": "user", "content": question}]
    if recipe is not None and context:
        prompt, _ = problem_of(recipe.problem).messages({"question": question, "context": context, "answer": ""})
    body = {"model": name, "messages": prompt, "temperature": 0, "max_tokens": max_tokens}
    with sync_client(endpoint.url, timeout=300) as client:
        reply = client.post("/v1/chat/completions", json=body).raise_for_status()
    if as_json:
        print_json(reply.json())
    else:
        out.print(reply.json()["choices"][0]["message"]["content"], markup=False, highlight=False)


@app.command()
def delete(name: Name) -> None:
    """Stop an endpoint. Its model stays in the store.

    Example: finetune endpoint delete demo-1a2b3c4d
    """
    from flows.evaluate import find_endpoint

    _, platform = find_endpoint(name)
    platform.delete_endpoint(name)
    out.print(f"{name} deleted", highlight=False)
