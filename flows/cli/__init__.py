"""The command line: `finetune`. Thin: every command calls the flow or the function that the Prefect UI calls too."""

import os

from finetune_flows.flows.cli import champions, data, endpoints, judge, monitor, plan, run, setup, tune, upkeep
from finetune_flows.flows.cli.common import group, guarded

# An ephemeral Prefect server is ours to keep quiet; a server that the user runs has its own settings.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
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
app.command("monitor")(monitor.monitor)
app.add_typer(data.app, name="data")
app.add_typer(endpoints.app, name="endpoint")
app.add_typer(setup.app, name="setup")
app.command("runs")(upkeep.runs)
app.command("sweep")(upkeep.sweep)
app.command("doctor")(upkeep.doctor)


def main() -> None:
    """Runs the command; a failure that the user can act on is one message and a non-zero exit code."""
    guarded(app)
