import pytest

from tasks.evaluation.gate import Decision, decide
from tasks.evaluation.statistics import Comparison, Proportion
from tasks.recipe import GateSection


def judge(gate: GateSection, base_only: int, tuned_only: int, both: int = 10, neither: int = 10) -> Decision:
    pairs = (
        [(True, False)] * base_only + [(False, True)] * tuned_only + [(True, True)] * both + [(False, False)] * neither
    )
    n = len(pairs)
    return decide(
        gate,
        "execution",
        Proportion.of(sum(a for a, _ in pairs), n),
        Proportion.of(sum(b for _, b in pairs), n),
        Comparison.of(pairs),
    )


@pytest.mark.parametrize(
    ("gate", "base_only", "tuned_only", "passed", "words"),
    [
        (GateSection(), 0, 20, True, "+50.0 points"),
        (GateSection(), 4, 6, False, "cannot be told from chance"),
        (GateSection(), 20, 0, False, "-50.0 points"),
        (GateSection(min_gain=0.6), 0, 20, False, "+60.0 wanted"),
        (GateSection(min_score=0.9), 0, 20, False, "below the minimum of 90.0%"),
        (GateSection(min_gain=-0.2), 1, 0, True, "-4.8 points"),
        (GateSection(confidence=0.6), 4, 8, True, "+12.5 points"),
    ],
)
def test_the_gate_decides_and_says_why(
    gate: GateSection, base_only: int, tuned_only: int, passed: bool, words: str
) -> None:
    decision = judge(gate, base_only, tuned_only)
    assert decision.passed == passed
    assert words in " ".join(decision.reasons)


def test_without_rows_nothing_passes() -> None:
    decision = judge(GateSection(min_gain=-1), 0, 0, 0, 0)
    assert not decision.passed
