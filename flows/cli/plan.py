"""`finetune plan`: what a run would do and cost."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from finetune_flows.flows.cli.common import Json, Overrides, out, print_json, read_recipe
from finetune_flows.flows.cli.run import RecipeFile
from finetune_flows.tasks.base.terminal import Table

if TYPE_CHECKING:
    from finetune_flows.tasks.plan import Made
    from finetune_flows.tasks.preflight.costs import Estimate
    from finetune_flows.tasks.preflight.findings import Finding
    from finetune_flows.tasks.preflight.report import Report, Request


def plan(
    recipe: RecipeFile,
    platform: Annotated[
        Literal["process", "docker", "sagemaker"] | None,
        typer.Option(help="Plan for this platform instead of the recipe's."),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Show what a run would do and cost. Create nothing.

    The plan lists the results that the run would reuse and, on AWS, what it would create.

    Example: finetune plan recipes/text-to-sql-codellama-7b.yaml --platform sagemaker

    Exit codes: 0 it can run, 2 a check failed.
    """
    from finetune_flows.tasks.plan import find_made, look_ahead

    loaded = read_recipe(recipe, overrides, platform)
    made = find_made(loaded)
    report = look_ahead(loaded, lambda: made)
    if as_json:
        print_json(_content(loaded.platform.kind, made, report))
    else:
        show_plan(loaded.platform.kind, made, report)
    raise typer.Exit(2 if report and not all(finding.ok for finding in report.findings) else 0)


def _content(kind: str, made: "Made", report: "Report | None") -> dict[str, Any]:
    from finetune_flows.tasks.plan import STEPS

    steps = [{"step": step, "made": made.references[step].uri if step in made.references else None} for step in STEPS]
    content: dict[str, Any] = {"platform": kind, "steps": steps, "unknown": made.unknown}
    if report:
        costs = [cost.model_dump() | {"usd": round(cost.usd, 2)} for cost in report.estimate.costs]
        content |= {
            "region": report.region,
            "requests": [request.model_dump() for request in report.requests],
            "findings": [finding.model_dump() for finding in report.findings],
            "costs": costs,
            "usd_at_most": round(report.estimate.usd, 2),
        }
    return content


def show_plan(kind: str, made: "Made", report: "Report | None") -> None:
    """The steps and, on SageMaker, findings, requests and costs."""
    out.print(_steps(kind, made))
    if made.unknown:
        out.print(f"Results of earlier runs could not be looked up: {made.unknown}")
    if report is None:
        out.print("It costs nothing but this machine's time.")
        return
    out.print(_findings(report.findings))
    out.print(_requests(report.requests))
    out.print(_costs(report.estimate))
    out.print(
        "Only instances are counted. An endpoint costs money after its expiry until `finetune sweep` deletes it.\n"
        "To see the full requests, add --json to this command.",
    )


def _steps(kind: str, made: "Made") -> Table:
    from finetune_flows.tasks.plan import STEPS

    table = Table("step", f"on {kind}", title="Steps", title_justify="left")
    for step in STEPS:
        table.add_row(step, f"made: {made.references[step].uri}" if step in made.references else "to do")
    return table


def _findings(findings: "list[Finding]") -> Table:
    table = Table("state", "what", "found", "next", title="Preflight", title_justify="left")
    for finding in findings:
        table.add_row("ok" if finding.ok else "PROBLEM", finding.what, finding.found, finding.advice)
    return table


def _requests(requests: "list[Request]") -> Table:
    table = Table("request", "name", "on", title="Would be created", title_justify="left")
    for request in requests:
        members = request.members
        name = next(str(value) for key, value in members.items() if key.endswith("Name"))
        table.add_row(request.operation, name, _instance(members))
    return table


def _instance(members: dict[str, Any]) -> str:
    resources = members.get("ResourceConfig") or (members.get("ProductionVariants") or [{}])[0]
    count = resources.get("InstanceCount") or resources.get("InitialInstanceCount")
    return f"{count} x {resources['InstanceType']}" if count else ""


def _costs(estimate: "Estimate") -> Table:
    table = Table("at most", "on", "hours", "$ an hour", "$", "price", title="Costs", title_justify="left")
    for cost in estimate.costs:
        where, source = f"{cost.instances} x {cost.instance_type}", cost.price.source if cost.price else "unknown"
        table.add_row(cost.what, where, f"{cost.hours:.2f}", f"{cost.hourly:.3f}", f"{cost.usd:.2f}", source)
    table.add_row("total", "", "", "", f"{estimate.usd:.2f}", "")
    return table
