import threading
from pathlib import Path

import pytest

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import RegistryError
from finetune_flows.tasks.base.statistics import Comparison, Proportion
from finetune_flows.tasks.base.values import now
from finetune_flows.tasks.evaluation.gate import Decision
from finetune_flows.tasks.evaluation.registry import Entry, Registry


def entry(model: str) -> Entry:
    reference = Reference(kind="model", uri=f"/{model}", digest=model, size=1, step_key=model)
    score = Proportion.of(40, 50)
    decision = Decision(
        metric="execution",
        outcome="passed",
        conditions=[],
        base=score,
        tuned=score,
        comparison=Comparison.of([(False, True)] * 40),
    )
    return Entry(
        decided_at=now(),
        recipe={},
        dataset=reference,
        model=reference,
        endpoint=f"r-{model}",
        base_evaluation=reference,
        evaluation=reference,
        decision=decision,
    )


def champion(registry: Registry) -> str | None:
    found = registry.read("r").champion
    return found.model.digest if found else None


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_a_decision_is_on_record_and_changes_nothing_else(registry: Registry) -> None:
    registry.record("r", entry("one"))
    assert champion(registry) is None
    assert [e.model.digest for e in registry.read("r").history] == ["one"]
    assert registry.recipes() == ["r"]


def test_the_same_decision_again_is_no_news(registry: Registry) -> None:
    registry.record("r", entry("one"))
    registry.record("r", entry("one"))
    assert len(registry.read("r").history) == 1


def test_a_rejection_is_on_record_with_its_reason_and_changes_nothing_else(registry: Registry) -> None:
    registry.promote("r", entry("one"), "better")
    registry.reject("r", entry("two").model, "it invents tables")
    assert champion(registry) == "one"
    last = registry.read("r").switches[-1]
    assert (last.action, last.model, last.reason) == ("rejected", "two", "it invents tables")


def test_rollback_goes_back_through_the_champions_and_stops_at_the_first(registry: Registry) -> None:
    for name in ("one", "two", "three"):
        registry.promote("r", entry(name), "it passed")
    assert registry.roll_back("r", "users complain").model.digest == "two"
    assert registry.roll_back("r", "still").model.digest == champion(registry) == "one"
    with pytest.raises(RegistryError, match="no previous champion"):
        registry.roll_back("r", "again")
    assert champion(registry) == "one"
    switches = [(each.action, each.model, each.reason) for each in registry.read("r").switches]
    assert switches[2:] == [
        ("promoted", "three", "it passed"),
        ("rolled back", "two", "users complain"),
        ("rolled back", "one", "still"),
    ]


def test_a_champion_promoted_again_is_not_its_own_predecessor(registry: Registry) -> None:
    registry.promote("r", entry("one"), "first")
    registry.promote("r", entry("one"), "again")
    assert registry.read("r").before == []
    assert len(registry.read("r").switches) == 1


def test_promotions_and_decisions_at_once_are_all_kept(registry: Registry) -> None:
    def judge_and_promote(name: str) -> None:
        registry.record("r", entry(name))
        registry.promote("r", entry(name), "it passed")

    threads = [threading.Thread(target=judge_and_promote, args=[f"m{n}"]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = registry.read("r")
    names = {f"m{n}" for n in range(12)}
    assert {e.model.digest for e in record.history} == names
    assert {e.model.digest for e in record.before} | {champion(registry)} == names
    assert champion(registry) == record.switches[-1].model
