"""`finetune setup aws`: what an AWS account needs before the first run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from finetune_flows.flows.cli.common import Json, Overrides, out, print_json

if TYPE_CHECKING:
    from finetune_flows.tasks.aws.setup_steps import Step
    from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform


def aws(
    recipe: Annotated[
        Path | None, typer.Argument(help="Recipe whose platform section counts; default: its defaults.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Make what is missing without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the requests, as JSON.")] = False,
    cloudformation: Annotated[
        bool, typer.Option("--cloudformation", help="Print a CloudFormation template instead; changes nothing.")
    ] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Make the bucket, the execution role and the log group that runs on SageMaker need; what is there is left alone.

    Example: finetune setup aws --set platform.region=eu-west-1 --dry-run
    """
    from finetune_flows.tasks.aws.clients import Clients
    from finetune_flows.tasks.aws.cloudformation import template
    from finetune_flows.tasks.aws.errors import aws_errors
    from finetune_flows.tasks.aws.policy import document
    from finetune_flows.tasks.aws.policy_caller import caller_statements
    from finetune_flows.tasks.aws.setup import carry_out, plan_setup

    clients = Clients(_section(recipe, overrides or []))
    if cloudformation:
        with aws_errors("asking for the account"):
            print_json(template(clients))
        return
    steps = plan_setup(clients)
    due = [step for step in steps if step.is_due]
    if dry_run or as_json:
        print_json(
            {"steps": [step.model_dump() for step in steps], "caller_policy": document(caller_statements(clients))}
        )
    else:
        out.print(steps_table(steps))
    if dry_run or not due or not _confirmed(yes, as_json, len(due)):
        return
    for step in due:
        carry_out(clients, step)
    if not as_json:
        out.print("Done. Next: finetune plan recipes/text-to-sql-codellama-7b.yaml --platform sagemaker")


def _section(recipe: Path | None, overrides: list[str]) -> "SageMakerPlatform":
    """The recipe's section, or one of defaults and overrides."""
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


def _confirmed(yes: bool, as_json: bool, requests: int) -> bool:
    if yes:
        return True
    if as_json:
        return False
    return typer.confirm(f"Send these {requests} requests?")


def steps_table(steps: "list[Step]") -> Table:
    """What is there, and the request that would make what is missing."""
    table = Table("what", "is", "request", "which would")
    for step in steps:
        table.add_row(step.what, step.state, f"{step.service} {step.operation}".strip(), step.says)
    return table
