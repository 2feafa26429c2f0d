"""One look at an endpoint of this machine. What was seen last is kept in the home, to tell what is new."""

from datetime import UTC, datetime
from pathlib import Path

import httpx

from finetune_flows.tasks.base.files import home, locked, write_json
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.monitoring.counters import Counters, read_counters, window_between
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.contract import Endpoint

_SECONDS = 10.0  # a server that lives answers at once, however much it computes


def look(endpoint: Endpoint) -> Window:
    """What it did since the last look, by the metrics that our own server counts."""
    now = datetime.now(UTC)
    file = home() / "monitoring" / f"{endpoint.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.with_suffix(".lock")):
        return _look(endpoint, file, now)


def _look(endpoint: Endpoint, file: Path, now: datetime) -> Window:
    before = Counters.model_validate_json(file.read_text(encoding="utf-8")) if file.exists() else None
    since = before.taken_at if before else now
    try:
        with Http(endpoint.url).client(_SECONDS) as client:
            counters = read_counters(client.get("/metrics").raise_for_status().text, now)
    except httpx.HTTPError as error:
        problem = f"it does not answer: {type(error).__name__} at {endpoint.url}/metrics"
        return Window(endpoint=endpoint.name, since=since, until=now, problem=problem)
    if counters is None:
        problem = f"{endpoint.url}/metrics are not those of our own server"
        return Window(endpoint=endpoint.name, since=since, until=now, problem=problem)
    write_json(file, counters.model_dump(mode="json"))
    return window_between(endpoint.name, before, counters)
