"""Fine-tune small language models, evaluate them and serve them. Start with: finetune run recipes/demo.yaml"""

import os

from finetune_flows.flows.cli import champions, data, endpoints, export, judge, monitor, plan, run, setup, tune, upkeep
from finetune_flows.flows.cli.common import group, guarded

# Every command is thin: it calls the flow or the function that the Prefect UI calls too. It imports them inside its function,
# because Prefect takes about three seconds to import and help texts should come at once.

# These settings affect only the temporary server that Prefect starts for a command; a server of the user's has its own.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Prefect 3.8's default of 20 seconds is too short on a busy two-core machine, where a first start takes 25.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "finetune")

app = group(__doc__)
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
