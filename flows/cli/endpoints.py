"""`finetune endpoint`: the endpoints that run now."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from finetune_flows.flows.cli.common import Json, group, out, print_json
from finetune_flows.tasks.base.terminal import Table

if TYPE_CHECKING:
    from finetune_flows.tasks.recipe import Recipe

ALL_LABELS = 100_000
app = group("List, call and delete endpoints.")
Name = Annotated[
    str, typer.Argument(help="Name of the endpoint, as `finetune endpoint list` shows it, or of the recipe.")
]


@app.command("list")
def list_endpoints(as_json: Json = False) -> None:
    """Show the running endpoints, and when each stops by itself.

    Example: finetune endpoint list
    """
    from finetune_flows.tasks.platforms import platforms_in_use
    from finetune_flows.tasks.platforms.local.aliases import ended, expired

    endpoints = [endpoint for platform in platforms_in_use() for endpoint in platform.endpoints()]
    if as_json:
        print_json([endpoint.model_dump(mode="json") for endpoint in endpoints])
        return
    addresses = {alias.endpoint: alias.url for platform in platforms_in_use() for alias in platform.aliases()}
    table = Table("name", "recipe", "lasting address", "own address", "until")
    for endpoint in endpoints:
        until = endpoint.labels.expires_at.astimezone()
        lasting = addresses.get(endpoint.name, "")
        table.add_row(endpoint.name, endpoint.labels.recipe, lasting, endpoint.url, f"{until:%Y-%m-%d %H:%M}")
    over = expired()
    out.print(table if endpoints else "No endpoint is running." + " Next: finetune init" * (not over))
    for alias in over:
        out.print(ended(alias))


@app.command()
def call(
    name: Name,
    question: Annotated[str, typer.Argument(help="Question to ask, or text to classify.")],
    context: Annotated[str, typer.Option(help="Schema for a text-to-SQL model, as CREATE TABLE statements.")] = "",
    max_tokens: Annotated[int, typer.Option(help="Maximum length of the answer, in tokens.")] = 256,
    as_json: Json = False,
) -> None:
    """Ask an endpoint one question, or for the labels of a text.

    With the name of a recipe, the question goes to its champion.
    With --context, the question is put into the prompt that the model was trained on.

    Example: finetune endpoint call demo-1a2b3c4d "How many ships are there?" --context "CREATE TABLE ships (name TEXT)"
    """
    from finetune_flows.flows.evaluate import find_endpoint
    from finetune_flows.tasks.artifacts.runs import latest_recipe

    endpoint, platform = find_endpoint(_champion_endpoint(name))
    recipe = latest_recipe(endpoint.labels.recipe)
    labels = recipe is not None and not recipe.problem.generates
    body: dict[str, Any]
    if labels:
        route, body = "/invocations", {"inputs": question, "parameters": {"top_k": ALL_LABELS}}
    else:
        route = "/v1/chat/completions"
        body = {
            "model": name,
            "messages": prompt_of(recipe, question, context),
            "temperature": 0,
            "max_tokens": max_tokens,
        }
    with platform.connection(endpoint).client(300) as client:
        reply = client.post(route, json=body).raise_for_status().json()
    if as_json:
        print_json(reply)
    elif labels:
        for item in reply:
            out.print(f"{item['score']:.3f}  {item['label']}")
    else:
        out.print(reply["choices"][0]["message"]["content"])


def _champion_endpoint(name: str) -> str:
    """The endpoint's name; for the name of a recipe, that of its champion's endpoint."""
    from finetune_flows.tasks.platforms import platforms_in_use

    addresses = {alias.name: alias.endpoint for platform in platforms_in_use() for alias in platform.aliases()}
    return addresses.get(name, name)


def prompt_of(recipe: "Recipe | None", question: str, context: str) -> list[dict[str, str]]:
    """The prompt that the model was trained on: with the recipe's system message, or with the context if one is given."""
    problem = recipe.problem if recipe else None
    asked = [{"role": "user", "content": question}]
    if problem is not None and problem.kind == "chat" and problem.system:
        return [{"role": "system", "content": problem.system}, *asked]
    if problem is None or not context or "context" not in problem.columns():
        return asked
    prompt, _ = problem.messages({"question": question, "context": context, "answer": ""})
    return prompt


@app.command()
def delete(name: Name) -> None:
    """Stop an endpoint. With the name of a recipe, stop and forget the recipe's address. The model stays in the store.

    Example: finetune endpoint delete demo-1a2b3c4d
    """
    from finetune_flows.flows.evaluate import find_endpoint
    from finetune_flows.tasks.platforms import platforms_in_use

    platforms = platforms_in_use()
    addresses = [platform.delete_alias(name) for platform in platforms]
    if not any(addresses):
        _, platform = find_endpoint(name)
        platform.delete_endpoint(name)
    out.print(f"{name} deleted")
