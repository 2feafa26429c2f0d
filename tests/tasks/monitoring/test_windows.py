"""What is concluded from counts: quantiles, differences of two looks, limits, CloudWatch's values."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from finetune_flows.containers.serving.metrics import SECONDS, Metrics
from finetune_flows.containers.serving.record import Record
from finetune_flows.tasks.monitoring.counters import Counters, quantile, read_counters, window_between
from finetune_flows.tasks.monitoring.window import Window, breaches
from finetune_flows.tasks.platforms.contract import Endpoint, Labels
from finetune_flows.tasks.platforms.local.aliases import free_port
from finetune_flows.tasks.platforms.local.looking import look
from finetune_flows.tasks.platforms.sagemaker.cloudwatch import last_period, window_of
from finetune_flows.tasks.recipe import MonitoringSection
from finetune_flows.tasks.reporting.monitoring_card import monitoring_card

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = MonitoringSection(p95_seconds=1, error_rate=0.1, min_requests=10)


class Service:
    running, waiting = 1, 4


def server() -> Metrics:
    metrics = Metrics()
    metrics.watch(Service())  # type: ignore[arg-type]
    return metrics


def answer(metrics: Metrics, seconds: float, status: int = 200, route: str = "/invocations", tokens: int = 0) -> None:
    record = Record("1", "POST", "openai", route=route, status=status, seconds=seconds, completion_tokens=tokens)
    metrics.count(record)


def counters(metrics: Metrics, at: datetime = NOW) -> Counters:
    found = read_counters(metrics.text().decode(), at)
    assert found is not None
    return found


def window(**fields: object) -> Window:
    return Window.model_validate({"endpoint": "e", "since": NOW, "until": NOW} | fields)


def test_quantiles_are_those_of_prometheus_own_example() -> None:
    # 10 requests up to 0.1 s, 10 from there to 0.5: half lie below 0.1, and 0.75 in the middle of the second bucket.
    buckets = [(0.1, 10), (0.5, 20), (None, 20)]
    assert quantile(0.5, buckets) == pytest.approx(0.1)
    assert quantile(0.75, buckets) == pytest.approx(0.3)
    assert quantile(0.25, buckets) == pytest.approx(0.05)


def test_without_requests_there_is_no_quantile_and_above_the_last_bound_that_bound_is_told() -> None:
    assert quantile(0.5, []) is None
    assert quantile(0.5, [(1.0, 0), (None, 0)]) is None
    assert quantile(0.99, [(1.0, 1), (None, 100)]) == 1.0


@given(st.lists(st.floats(0.001, 500), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(times: list[float], share: float) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("t", "t", buckets=SECONDS, registry=registry)
    for seconds in times:
        histogram.observe(seconds)
    lines = [line for line in generate_latest(registry).decode().splitlines() if line.startswith("t_bucket")]
    counts = [round(float(line.split()[-1])) for line in lines]
    found = quantile(share, list(zip([*SECONDS, None], counts, strict=True)))
    assert found is not None
    true = sorted(times)[max(0, -int(-share * len(times) // 1) - 1)]
    low = max((bound for bound in SECONDS if bound < true), default=0.0)
    high = min(bound for bound in SECONDS if bound >= true)
    assert low <= found <= high


def test_a_second_look_tells_what_happened_since_the_first_and_nobody_counts_our_own() -> None:
    metrics = server()
    for _ in range(50):
        answer(metrics, 0.01, tokens=3)
    first = counters(metrics)
    for _ in range(20):
        answer(metrics, 4, tokens=6)
    answer(metrics, 4, status=503)
    answer(metrics, 9, route="/ping", status=503)
    seen = window_between("e", first, counters(metrics, NOW + timedelta(seconds=60)))
    assert (seen.requests, seen.errors, seen.waiting) == (21, 1, 4)
    assert seen.tokens_per_second == pytest.approx(2)
    assert seen.p50 is not None
    assert 2.5 < seen.p50 <= 5
    assert seen.since == NOW


def test_of_a_server_that_was_started_again_all_is_new() -> None:
    before, after = server(), server()
    for _ in range(30):
        answer(before, 1)
    answer(after, 1)
    restarted = counters(after).model_copy(update={"started_at": NOW})
    seen = window_between("e", counters(before), restarted)
    assert (seen.requests, seen.since) == (1, NOW)
    assert seen.p95 is not None


@pytest.mark.parametrize(
    "text",
    ["# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1\n", "<html>a page</html>", ""],
    ids=["vllm", "a page", "nothing"],
)
def test_metrics_of_another_server_are_told_apart(text: str) -> None:
    assert read_counters(text, NOW) is None


def test_a_server_that_does_not_answer_is_a_finding_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path))
    labels = Labels(recipe="demo", step_key="k", flow_run="r", expires_at=NOW)
    seen = look(Endpoint(name="e", url=f"http://127.0.0.1:{free_port()}", model_digest="d", labels=labels))
    assert seen.problem is not None
    assert "does not answer" in seen.problem
    assert seen.requests == 0
    assert list(tmp_path.rglob("*.json")) == [], "what was seen last is kept only when something was seen"


def test_the_table_says_which_limit_is_broken_and_leaves_empty_what_nobody_measured() -> None:
    seen = [window(requests=100, p95=1.5, use={"gpu_memory": 50.0}), window(endpoint="f", problem="it is gone")]
    card = monitoring_card("demo", seen, {each.endpoint: breaches(each, LIMITS) for each in seen})
    assert "# demo: a limit is broken" in card
    assert "`e`: 1 in 20 requests took longer than 1.5 s" in card
    assert "| e | 11-23 12:00 | 100 | 0 |  | 1.5 s |  |  |  | gpu memory 50 % |" in card
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {11}


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (window(requests=100, p95=1.5), ["1 in 20 requests took longer than 1.5 s"]),
        (window(requests=100, errors=11, p95=0.5), ["11.0 % of 100 requests failed"]),
        (window(requests=100, errors=50, p95=3), ["took longer than", "failed"]),
        (window(requests=100, errors=10, p95=1), []),
        (window(requests=9, errors=9, p95=100), []),
        (window(problem="it does not answer"), ["does not answer"]),
    ],
)
def test_limits(seen: Window, words: list[str]) -> None:
    sentences = breaches(seen, LIMITS)
    assert len(sentences) == len(words)
    assert all(word in sentence for word, sentence in zip(words, sentences, strict=True))
    assert breaches(seen, MonitoringSection()) == [], "off when not given"


def test_cloudwatch_is_asked_for_the_last_whole_quarter_of_an_hour() -> None:
    assert last_period(NOW + timedelta(minutes=44, seconds=59)) == (
        NOW + timedelta(minutes=15),
        NOW + timedelta(minutes=30),
    )
    assert last_period(NOW) == (NOW - timedelta(minutes=15), NOW)


def test_cloudwatch_values_become_seconds_and_what_it_does_not_have_stays_empty() -> None:
    seen = window_of("e", NOW, NOW, {"requests": 40, "errors4xx": 1, "errors5xx": 3, "p95": 2_500_000, "gpu": 71.5})
    assert (seen.requests, seen.error_rate, seen.p50, seen.p95, seen.use) == (40, 0.1, None, 2.5, {"gpu": 71.5})
    assert window_of("e", NOW, NOW, {}).error_rate is None
