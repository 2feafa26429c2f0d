"""`finetune runs`, `sweep` and `doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from finetune_flows.flows.cli.common import Debug, Json, out, print_json, set_up_logging, use_prefect
from finetune_flows.tasks.base.terminal import Table


def runs(last: Annotated[int, typer.Option(help="Number of runs to show.")] = 20, as_json: Json = False) -> None:
    """Show the latest runs and how they ended, the newest last.

    Example: finetune runs --last 5
    """
    from finetune_flows.tasks.artifacts.runs import list_runs

    records = list_runs()[-last:]
    if as_json:
        print_json([record.model_dump(mode="json") for record in records])
        return
    table = Table("run", "recipe", "minutes", "result")
    for record in records:
        minutes = f"{(record.ended - record.started).total_seconds() / 60:.1f}" if record.ended else ""
        table.add_row(record.id, record.recipe, minutes, record.result)
    out.print(table if records else "There are no runs yet. Next: finetune init")
    pages = [Path(record.outcome["evaluation"]["uri"]) / "wrong_answers.md" for record in records if record.outcome]
    if pages and pages[-1].exists():
        out.print(f"Wrong answers of the last run: {pages[-1]}")


def sweep(as_json: Json = False, debug: Debug = False) -> None:
    """Delete expired endpoints and jobs, and half-written artefacts.

    Example: finetune sweep
    """
    set_up_logging(debug, "looking for what has expired")
    use_prefect()
    from finetune_flows.flows.sweep import sweep as sweep_flow

    swept = sweep_flow()
    if as_json:
        print_json(swept)
    else:
        out.print("\n".join(swept) or "Nothing to sweep.")


def doctor(as_json: Json = False) -> None:
    """Check this machine for what training and serving need. Say how to fix what is missing.

    Example: finetune doctor
    """
    from finetune_flows.tasks.platforms.doctor import examine

    findings = examine()
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        table = Table("state", "what", "found", "next")
        for finding in findings:
            table.add_row("ok" if finding.ok else "PROBLEM", finding.what, finding.found, finding.advice)
        out.print(table)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)
