"""Our server's Prometheus metrics: its counters since the start, and the difference between two readings."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.monitoring.window import Window

_NOT_FROM_CLIENTS = {"/ping", "/health", "/metrics"}  # health checks, and looks such as ours
_FAILED = 400


class Counters(Frozen):
    """The counters of one server from its start to `taken_at`."""

    started_at: datetime
    taken_at: datetime
    requests: int
    errors: int
    buckets: list[tuple[float | None, int]]
    """Upper bound in seconds (None: infinite) and the number of requests that took at most that, shortest first."""
    tokens: int
    waiting: float


def read_counters(text: str, taken_at: datetime) -> Counters | None:
    """Reads Prometheus' text format; None if these are not the metrics of our server."""
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return _counters(samples, taken_at)
    except (ValueError, LookupError, OverflowError, OSError):  # a page of something else, or numbers that are none
        return None


def _counters(samples: list[Sample], taken_at: datetime) -> Counters | None:
    started = _sum(samples, "process_start_time_seconds")
    if not started or not any(sample.name == "serving_running" for sample in samples):
        return None
    asked = [sample for sample in samples if sample.labels.get("route") not in _NOT_FROM_CLIENTS]
    requests = [sample for sample in asked if sample.name == "serving_requests_total"]
    return Counters(
        started_at=datetime.fromtimestamp(started, UTC),
        taken_at=taken_at,
        requests=round(sum(sample.value for sample in requests)),
        errors=round(sum(sample.value for sample in requests if int(sample.labels["status"]) >= _FAILED)),
        buckets=_buckets(asked),
        tokens=round(_sum(samples, "serving_completion_tokens_total")),
        waiting=_sum(samples, "serving_waiting"),
    )


def _sum(samples: list[Sample], name: str) -> float:
    return float(sum(sample.value for sample in samples if sample.name == name))


def _buckets(samples: list[Sample]) -> list[tuple[float | None, int]]:
    """The histogram of all routes together."""
    counts: dict[float, float] = {}
    for sample in samples:
        if sample.name == "serving_request_seconds_bucket":
            bound = float(sample.labels["le"])
            counts[bound] = counts.get(bound, 0) + sample.value
    return [(None if bound == float("inf") else bound, round(counts[bound])) for bound in sorted(counts)]


def window_between(endpoint: str, before: Counters | None, now: Counters) -> Window:
    """What happened between two looks or, at the first look, since the server's start."""
    if before is None or before.started_at != now.started_at:  # a server that restarted counts from 0 again
        before = Counters(
            started_at=now.started_at,
            taken_at=now.started_at,
            requests=0,
            errors=0,
            buckets=[],
            tokens=0,
            waiting=0,
        )
    earlier = dict(before.buckets)
    buckets = [(bound, count - earlier.get(bound, 0)) for bound, count in now.buckets]
    seconds = (now.taken_at - before.taken_at).total_seconds()
    return Window(
        endpoint=endpoint,
        since=before.taken_at,
        until=now.taken_at,
        requests=now.requests - before.requests,
        errors=now.errors - before.errors,
        p50=quantile(0.5, buckets),
        p95=quantile(0.95, buckets),
        p99=quantile(0.99, buckets),
        tokens_per_second=(now.tokens - before.tokens) / seconds if seconds > 0 else None,
        waiting=now.waiting,
    )


def quantile(share: float, buckets: list[tuple[float | None, int]]) -> float | None:
    """Seconds within which this share of the requests was answered; None if there were none.

    Like Prometheus' histogram_quantile, it assumes that requests are spread evenly within a bucket, and returns the last
    bound for anything above it.

    buckets: upper bound (None: infinite) and the count up to it, shortest first.
    """
    total = buckets[-1][1] if buckets else 0
    if total == 0:
        return None
    rank, low, below = share * total, 0.0, 0
    for bound, count in buckets:
        if bound is None:
            break
        if count >= rank:
            return low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low
