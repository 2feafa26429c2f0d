"""What an endpoint did between two looks, and which limits it broke."""

from datetime import datetime

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.monitoring.drift import SURE, Drift
from finetune_flows.tasks.sections.stages import MonitoringSection


class Window(Frozen):
    """One endpoint between two looks. Latencies are in seconds; None if nothing was measured."""

    endpoint: str
    since: datetime
    until: datetime
    problem: str | None = Field(None, description="Why the look failed. All other figures are empty then.")
    requests: int = 0
    errors: int = Field(0, description="Requests with a status of 400 or above, or without an answer.")
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    tokens_per_second: float | None = Field(None, description="Tokens generated, over the whole window.")
    waiting: float | None = Field(None, description="Requests waiting at the time of the look.")
    drift: Drift | None = Field(
        None, description="Drift of the captured prompts, which reach back further than the window."
    )
    use: dict[str, float] = Field(default_factory=dict, description="Utilisation in percent, by resource: gpu, memory.")

    @property
    def error_rate(self) -> float | None:
        """Share of requests that failed; None without requests."""
        return self.errors / self.requests if self.requests else None


def breaches(window: Window, limits: MonitoringSection) -> list[str]:
    """A sentence for each broken limit. Fewer than `min_requests` requests or prompts break none."""
    if not limits.watched:
        return []
    if window.problem:
        return [window.problem]
    return [*_of_requests(window, limits), *_of_prompts(window.drift, limits)]


def _of_requests(window: Window, limits: MonitoringSection) -> list[str]:
    if window.requests < limits.min_requests:
        return []
    broken = []
    if limits.p95_seconds is not None and window.p95 is not None and window.p95 > limits.p95_seconds:
        broken.append(f"1 in 20 requests took longer than {window.p95:.3g} s; the limit is {limits.p95_seconds:g} s")
    if limits.error_rate is not None and window.error_rate is not None and window.error_rate > limits.error_rate:
        rate, limit = window.error_rate * 100, limits.error_rate * 100
        broken.append(f"{rate:.1f} % of {window.requests:,} requests failed; the limit is {limit:g} %")
    return broken


def _of_prompts(drift: Drift | None, limits: MonitoringSection) -> list[str]:
    """The limits of drift that are exceeded by more than chance."""
    if drift is None or drift.prompts < limits.min_requests:
        return []
    broken = []
    if limits.length_drift is not None and drift.length > limits.length_drift and drift.length_p < SURE:
        broken.append(
            f"{drift.prompts:,} prompts differ from the training rows in length by {drift.length:.2f} "
            f"(Kolmogorov-Smirnov distance); the limit is {limits.length_drift:g}"
        )
    if limits.vocabulary_drift is not None and (drift.vocabulary or 0) > limits.vocabulary_drift and _sure(drift):
        broken.append(
            f"{drift.prompts:,} prompts differ from the training rows in their words, by {drift.vocabulary:.2f} (area under the "
            f"ROC curve); the limit is {limits.vocabulary_drift:g}. Distinctive words: {', '.join(drift.words)}"
        )
    return broken


def _sure(drift: Drift) -> bool:
    return drift.vocabulary_p is not None and drift.vocabulary_p < SURE
