"""Counters since the start, and their Prometheus text."""

from collections import Counter
from collections.abc import Iterator

from containers.serving.engine import Engine


class Statistics:
    """What was asked of this server so far."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()  # by path and status
        self.seconds: Counter[tuple[str, int]] = Counter()
        self.prompt_tokens = 0
        self.completion_tokens = 0

    def count(self, path: str, status: int, seconds: float, prompt_tokens: int, completion_tokens: int) -> None:
        """Add one request that has ended."""
        self.requests[path, status] += 1
        self.seconds[path, status] += seconds  # type: ignore[assignment]  # a Counter adds up floats as well
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens


def prometheus_text(statistics: Statistics, engine: Engine | None) -> bytes:
    """Raises ImportError without prometheus_client, which this server does not insist on."""
    from prometheus_client import generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
    from prometheus_client.registry import Collector

    class Snapshot(Collector):
        def collect(self) -> Iterator[Metric]:
            requests = SummaryMetricFamily(
                "serving_request_seconds", "Requests and the time they took.", labels=["path", "status"]
            )
            for (path, status), number in statistics.requests.items():
                requests.add_metric([path, str(status)], number, statistics.seconds[path, status])
            yield requests
            yield CounterMetricFamily("serving_prompt_tokens", "Tokens read.", statistics.prompt_tokens)
            yield CounterMetricFamily("serving_completion_tokens", "Tokens generated.", statistics.completion_tokens)
            if engine:
                yield GaugeMetricFamily("serving_running", "Sequences being computed now.", engine.running)
                yield GaugeMetricFamily("serving_waiting", "Sequences that wait for a place.", engine.waiting)

    return generate_latest(Snapshot())
