"""`finetune setup aws`: what an AWS account needs before the first run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finetune_flows.flows.cli.common import Json, Overrides, out, print_json
from finetune_flows.tasks.base.terminal import Table

if TYPE_CHECKING:
    from finetune_flows.tasks.aws.clients import Clients
    from finetune_flows.tasks.aws.setup import SetUp
    from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform


def aws(
    recipe: Annotated[
        Path | None,
        typer.Argument(help="Recipe with the platform section to set up for. Default: the defaults of that section."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the changes without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the changes, as JSON.")] = False,
    cloudformation: Annotated[
        bool, typer.Option("--cloudformation", help="Print the CloudFormation template and change nothing.")
    ] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Create bucket, role and log group for runs on SageMaker. Leave existing resources unchanged.

    Example: finetune setup aws --set platform.region=eu-west-1 --dry-run
    """
    from finetune_flows.tasks.aws.clients import Clients
    from finetune_flows.tasks.aws.errors import aws_errors
    from finetune_flows.tasks.aws.setup import planned
    from finetune_flows.tasks.aws.template import template

    clients = Clients(_section(recipe, overrides or []))
    if cloudformation:
        with aws_errors("asking for the account"):
            print_json(template(clients))
        return
    shown_as_json = dry_run or as_json
    with planned(clients) as set_up:
        if not shown_as_json:
            show(clients.stack, set_up)
        outputs = {}
        if set_up.changes and not dry_run and _confirmed(yes, as_json):
            outputs = set_up.apply()
        if shown_as_json:
            print_json(_content(clients, set_up, outputs))
        elif outputs:
            for name, value in outputs.items():
                out.print(f"{name}: {value}")
            out.print("Done. Next: finetune plan RECIPE --platform sagemaker (finetune recipes lists those that ship)")


def _section(recipe: Path | None, overrides: list[str]) -> "SageMakerPlatform":
    """The platform section of the recipe, or the section's defaults, with the overrides applied."""
    from finetune_flows.tasks.recipe import SageMakerPlatform, load_recipe, parse_recipe

    kind = "platform.kind=sagemaker"
    if recipe:
        platform = load_recipe(recipe, [kind, *overrides]).platform
    else:
        content = {
            "name": "setup",
            "problem": {"kind": "text-to-sql"},
            "dataset": {"source": "none"},
            "model": {"source": "none"},
        }
        platform = parse_recipe(content, "setup aws", [kind, *overrides]).platform
    assert isinstance(platform, SageMakerPlatform)
    return platform


def _confirmed(yes: bool, as_json: bool) -> bool:
    if yes or as_json:
        return yes
    return typer.confirm("Apply these changes?")


def show(stack: str, set_up: "SetUp") -> None:
    """Prints what exists, and what the stack would change."""
    parts = Table("what", "is", "note")
    for found in set_up.found:
        parts.add_row(f"{found.part} {found.name}", found.state, found.says)
    out.print(parts)
    if not set_up.changes:
        out.print(f"Stack {stack}: nothing changes.")
        return
    changes = Table("change", "in the template", "type", "what it does", title=f"Changes of stack {stack}")
    for change in set_up.changes:
        changes.add_row(change.action, change.resource, change.kind, change.says)
    out.print(changes)


def _content(clients: "Clients", set_up: "SetUp", outputs: dict[str, str]) -> dict[str, Any]:
    from finetune_flows.tasks.aws.policy import document
    from finetune_flows.tasks.aws.policy_caller import caller_statements
    from finetune_flows.tasks.aws.policy_setup import setup_statements

    return {
        "stack": clients.stack,
        "found": [found.model_dump() for found in set_up.found],
        "changes": [change.model_dump() for change in set_up.changes],
        "outputs": outputs,
        "caller_policy": document(caller_statements(clients)),
        "setup_policy": document(setup_statements(clients)),
    }
