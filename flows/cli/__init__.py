"""Fine-tune small language models, evaluate them and serve them. Start with: finetune init"""

import os
from typing import Annotated

import typer

from finetune_flows.flows.cli import (
    champions,
    data,
    endpoints,
    export,
    judge,
    monitor,
    plan,
    project,
    run,
    setup,
    tune,
    upkeep,
)
from finetune_flows.flows.cli.common import group, guarded, show_version

# Every command is thin: it calls the flow or the function that the Prefect UI calls too. It imports them inside its function,
# because Prefect takes about three seconds to import and help texts should come at once.

# This affects only the server that we start for our commands; a server of the user's has settings of its own.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "finetune")
# Many commands log without running a flow. Prefect would warn about each of their lines.
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")

# A recipe is read before its flow starts, and has something to say there.
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")

app = group(__doc__)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Fine-tune small language models, evaluate them and serve them. Start with: finetune init"""


app.command("init")(project.init)
app.command("recipes")(project.recipes)
app.command("plan")(plan.plan)
app.command("run")(run.run)
app.command("tune")(tune.tune)
app.command("evaluate")(run.evaluate)
app.command("judge")(judge.judge)
app.command("retrain")(champions.retrain)
app.command("promote")(champions.promote)
app.command("rollback")(champions.rollback)
app.command("history")(champions.history)
app.command("export")(export.export)
app.command("push")(export.push)
app.command("monitor")(monitor.monitor)
app.add_typer(data.app, name="data")
app.add_typer(endpoints.app, name="endpoint")
app.add_typer(setup.app, name="setup")
app.command("runs")(upkeep.runs)
app.command("sweep")(upkeep.sweep)
app.command("doctor")(upkeep.doctor)


def main() -> None:
    """Runs the command. A failure that the user can act on becomes one message and a non-zero exit code."""
    guarded(app)
