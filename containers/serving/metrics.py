"""Metrics of this server since its start, for Prometheus."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from finetune_flows.containers.serving.engine import Engine
from finetune_flows.containers.serving.record import Record

if TYPE_CHECKING:
    from finetune_flows.containers.serving.classifier_engine import ClassifierEngine

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600)
TOKEN_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters and histograms of one server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, processor time, open files
        self.requests = Counter("serving_requests", "Requests.", ["route", "status"], registry=registry)
        self.errors = Counter("serving_errors", "Refused and failed requests.", ["kind"], registry=registry)

        def histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, meaning, labels, buckets=buckets, registry=registry)

        self.total = histogram("serving_request_seconds", "From a request's arrival to its end.", SECONDS, "route")
        self.first = histogram("serving_first_token_seconds", "From a request's arrival to its first token.", SECONDS)
        self.token = histogram(
            "serving_token_seconds", "Mean time of a token after the first, by answer.", TOKEN_SECONDS
        )
        self.batch = histogram("serving_batch_size", "Sequences computed with an answer's first token.", BATCH_SIZES)
        self.prompt = Counter("serving_prompt_tokens", "Tokens of prompts.", registry=registry)
        self.cached = Counter("serving_cached_prompt_tokens", "Of these, not read again.", registry=registry)
        self.completion = Counter("serving_completion_tokens", "Tokens generated.", registry=registry)

    def watch(self, engine: "Engine | ClassifierEngine") -> None:
        """Add gauges of the running and waiting sequences of this engine."""
        running = Gauge("serving_running", "Sequences being computed now: the batch.", registry=self.registry)
        running.set_function(lambda: engine.running)
        waiting = Gauge("serving_waiting", "Sequences that wait for a place.", registry=self.registry)
        waiting.set_function(lambda: engine.waiting)

    def count(self, record: Record) -> None:
        """Count a finished request."""
        self.requests.labels(record.route, str(record.status)).inc()
        self.total.labels(record.route).observe(record.seconds)
        if record.error:
            self.errors.labels(record.error).inc()
        self.prompt.inc(record.prompt_tokens)
        self.cached.inc(record.cached_tokens)
        self.completion.inc(record.completion_tokens)
        if record.first_token_seconds is not None:
            self.first.observe(record.first_token_seconds)
            self.batch.observe(record.batch_size)
            if record.completion_tokens > 1:
                self.token.observe((record.seconds - record.first_token_seconds) / (record.completion_tokens - 1))

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
