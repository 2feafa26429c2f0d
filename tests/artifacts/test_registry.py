import threading
from pathlib import Path

import pytest

from tasks.artifacts.references import Reference
from tasks.artifacts.registry import Entry, Registry, now
from tasks.evaluation.gate import decide
from tasks.evaluation.statistics import Comparison, Proportion
from tasks.recipe import GateSection


def entry(model: str, passed: bool = True) -> Entry:
    reference = Reference(kind="model", uri=f"/{model}", digest=model, size=1, step_key=model)
    right = 40 if passed else 0
    decision = decide(
        GateSection(min_gain=0.1),
        "execution",
        Proportion.of(0, 50),
        Proportion.of(right, 50),
        Comparison.of([(False, n < right) for n in range(50)]),
    )
    assert decision.passed == passed
    return Entry(
        decided_at=now(),
        model=reference,
        endpoint=f"r-{model}",
        base_evaluation=reference,
        evaluation=reference,
        decision=decision,
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_the_champion_is_the_last_that_passed_and_everything_is_on_record(registry: Registry) -> None:
    assert registry.record("r", entry("one")) is None
    replaced = registry.record("r", entry("two"))
    assert replaced is not None
    assert replaced.model.digest == "one"
    assert registry.record("r", entry("three", passed=False)) is None
    record = registry.read("r")
    assert record.champion is not None
    assert record.champion.model.digest == "two"
    assert [e.model.digest for e in record.history] == ["one", "two", "three"]
    assert registry.recipes() == ["r"]


def test_the_same_decision_again_is_no_news(registry: Registry) -> None:
    registry.record("r", entry("one"))
    registry.record("r", entry("one"))
    assert len(registry.read("r").history) == 1


def test_decisions_at_once_are_all_kept(registry: Registry) -> None:
    threads = [threading.Thread(target=registry.record, args=("r", entry(f"m{n}"))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = registry.read("r")
    assert {e.model.digest for e in record.history} == {f"m{n}" for n in range(12)}
    assert record.champion == record.history[-1]
