"""One look at an endpoint of this machine. The last reading is stored in the home, to compute what is new."""

from datetime import UTC, datetime
from pathlib import Path

import httpx

from finetune_flows.tasks.base.files import home, locked, read_model, write_json
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.monitoring.counters import Counters, read_counters, window_between
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.contract import Endpoint

_SECONDS = 10.0  # a healthy server answers /metrics at once, even under load


def look(endpoint: Endpoint) -> Window:
    """What the endpoint did since the last look, by the metrics of our own server."""
    now = datetime.now(UTC)
    file = home() / "monitoring" / f"{endpoint.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    # Two looks at once would both start from the same reading and count the same requests twice.
    with locked(file.with_suffix(".lock")):
        return _look(endpoint, file, now)


def _look(endpoint: Endpoint, file: Path, now: datetime) -> Window:
    before = read_model(file, Counters)
    since = before.taken_at if before else now
    try:
        with Http(endpoint.url).client(_SECONDS) as client:
            counters = read_counters(client.get("/metrics").raise_for_status().text, now)
    except httpx.HTTPError as error:
        problem = f"the endpoint does not answer: {type(error).__name__} at {endpoint.url}/metrics"
        return Window(endpoint=endpoint.name, since=since, until=now, problem=problem)
    if counters is None:
        problem = f"{endpoint.url}/metrics does not have the metrics of finetune's own server"
        return Window(endpoint=endpoint.name, since=since, until=now, problem=problem)
    write_json(file, counters.model_dump(mode="json"))
    return window_between(endpoint.name, before, counters)
