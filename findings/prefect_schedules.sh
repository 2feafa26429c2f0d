#!/usr/bin/env bash
# Prefect 3.8.8 with SQLAlchemy 2.1.9: the server starts and is healthy, but creates no scheduled run.
#
# Prefect allows SQLAlchemy 2.1, and `pip check` is content. The scheduler service then fails in the background with
# "Can't evaluate bulk DML statement; please supply a bulk_dml decorated function". Deployments show their schedules, and
# nothing ever runs. With SQLAlchemy 2.0.58 the first runs are there within seconds. (FastAPI is held below 0.151 because
# the server does not start with later versions.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cat >"$folder/look.py" <<'PYTHON'
"""Starts a server, deploys a flow for every minute, waits for scheduled runs; argument: how many seconds at most."""
import datetime
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = str(free.getsockname()[1])
home = Path(os.environ["PREFECT_HOME"])
os.environ |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_SERVER_API_PORT": port}
os.environ |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}

import httpx
import sqlalchemy
from prefect import __version__, flow, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule


@flow
def nothing() -> None:
    """Is scheduled and never run: there is no worker."""


def healthy() -> bool:
    try:
        return httpx.get(os.environ["PREFECT_API_URL"] + "/health").status_code == 200
    except httpx.HTTPError:
        return False


with (home / "server.log").open("w") as log:
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    server = subprocess.Popen(command, stdout=log, stderr=log)
try:
    end = time.monotonic() + 180
    while not healthy():
        assert time.monotonic() < end, "the server did not start"
        time.sleep(1)
    every_minute = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=datetime.timedelta(minutes=1)), active=True)
    with get_client(sync_client=True) as client:
        client.create_deployment(client.create_flow(nothing), name="every-minute", schedules=[every_minute])
        end, runs = time.monotonic() + float(sys.argv[1]), []
        while not runs and time.monotonic() < end:
            time.sleep(5)
            runs = client.read_flow_runs()
finally:
    server.terminate()
    server.wait(60)
errors = {line for line in (home / "server.log").read_text().splitlines() if line.startswith("sqlalchemy.exc.")}
print(f"Prefect {__version__}, SQLAlchemy {sqlalchemy.__version__}: scheduled runs: {'yes' if runs else 'none'}", *errors)
sys.exit(0 if runs else 3)
PYTHON

look() { # SQLAlchemy's version, seconds to wait
  "$folder/venv/bin/pip" install --quiet "prefect==3.8.8" "fastapi<0.151" "sqlalchemy==$1"
  mkdir "$folder/home-$1"
  PREFECT_HOME="$folder/home-$1" "$folder/venv/bin/python" "$folder/look.py" "$2" && status=0 || status=$?
}

look 2.0.58 60
[ "$status" = 0 ] || { echo "SQLAlchemy 2.0.58 was expected to work." && exit 1; }
look 2.1.9 100
[ "$status" = 3 ] || { echo "The behaviour has changed." && exit 1; }
