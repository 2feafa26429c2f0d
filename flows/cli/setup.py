"""`finetune setup`: prepare a Prefect server, an AWS account, or exports to other formats."""

import asyncio
from pathlib import Path

from finetune_flows.flows.cli.common import Debug, Json, group, out, print_json, set_up_logging
from finetune_flows.flows.cli.setup_aws import aws
from finetune_flows.tasks.base.terminal import Table

app = group("Set up a Prefect server or an AWS account for runs, or this machine for exports.")


app.command("aws")(aws)


@app.command()
def prefect(as_json: Json = False, debug: Debug = False) -> None:
    """Create work pools, limit and automation on a Prefect server. Leave existing ones unchanged.

    If this folder has a prefect.yaml, copy the recipes of the folder into it.

    Example: finetune setup prefect
    """
    set_up_logging(debug)
    from finetune_flows.flows.setup import set_up_prefect
    from finetune_flows.tasks.project.deployments import update_prefect_file

    made = asyncio.run(set_up_prefect())
    made |= {f"{name} in prefect.yaml": True for name in update_prefect_file(Path("."))}
    if as_json:
        print_json(made)
        return
    table = Table("what", "")
    for name, new in made.items():
        table.add_row(name, "created" if new else "exists")
    out.print(table)
    out.print("Next: prefect --no-prompt deploy --all, and then prefect worker start --pool finetune")


@app.command()
def export() -> None:
    """Install the converters that `finetune export` runs, each in a folder of its own. Leave installed ones unchanged.

    Example: finetune setup export
    """
    from finetune_flows.tasks.exporting.export import TOOLS

    for tool in TOOLS:
        tool.install()
        out.print(f"{tool.name} is in {tool.folder}")
