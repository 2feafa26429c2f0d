"""`finetune setup`: what has to be there before anything can be started from the Prefect UI, or on AWS."""

import asyncio

from rich.table import Table

from finetune_flows.flows.cli.common import Debug, Json, group, out, print_json, set_up_logging
from finetune_flows.flows.cli.setup_aws import aws

app = group("Set up what runs beside this machine's flows.")


app.command("aws")(aws)


@app.command()
def prefect(as_json: Json = False, debug: Debug = False) -> None:
    """Make work pools, limits and automations on the Prefect server. What is there stays as it is.

    Example: finetune setup prefect
    """
    set_up_logging(debug)
    from finetune_flows.flows.setup import set_up_prefect

    made = asyncio.run(set_up_prefect())
    if as_json:
        print_json(made)
        return
    table = Table("what", "")
    for name, new in made.items():
        table.add_row(name, "made" if new else "was there")
    out.print(table)
    out.print("Next: prefect --no-prompt deploy --all, then prefect worker start --pool finetune")
