"""The gate, from verdicts to a decision with its reasons."""

from itertools import count

import pytest

from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.evaluation.gate import Condition, Decision, Measured, decide
from finetune_flows.tasks.evaluation.scores import About, summarise
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.recipe import GateSection, TextToSql

METRIC = "execution"
SQL = TextToSql()


def measured(
    right: list[bool], *, groups: int = 0, valid: float = 1.0, seconds: float = 0.1, failed: int = 0
) -> Measured:
    """A model that got these rows right. With `groups`, so many schemas share the rows, one after the other."""
    n = len(right)
    verdicts = [
        Verdict(
            id=str(row),
            group=str(row * groups // n) if groups else None,
            outcomes={METRIC: outcome, "valid_sql": row < valid * n},
            kind="right" if outcome else "wrong",
        )
        for row, outcome in zip(count(), right, strict=False)
    ]
    answers = [Answer(id=v.id, asked_at=0, latency_seconds=seconds, failed_tries=failed) for v in verdicts]
    return Measured(summarise(Judged(verdicts), answers, About("d", "m")), verdicts)


def models(only_first: int, only_second: int, both: int, neither: int) -> tuple[list[bool], list[bool]]:
    counts = ((True, False, only_first), (False, True, only_second), (True, True, both), (False, False, neither))
    return tuple([pair[n] for *pair, times in counts for _ in range(times)] for n in (0, 1))  # type: ignore[return-value]


def judge(gate: GateSection, base_only: int, tuned_only: int, both: int = 10, neither: int = 10) -> Decision:
    base, tuned = models(base_only, tuned_only, both, neither)
    return decide(SQL, gate, METRIC, measured(tuned), measured(base))


def beside_champion(gate: GateSection, champion_only: int, tuned_only: int, both: int, neither: int) -> Condition:
    champion, tuned = models(champion_only, tuned_only, both, neither)
    base = [False] * len(tuned)
    return decide(SQL, gate, METRIC, measured(tuned), measured(base), measured(champion)).conditions[-1]


@pytest.mark.parametrize(
    ("gate", "base_only", "tuned_only", "outcome", "words"),
    [
        (GateSection(), 0, 20, "passed", "+50.0 points"),
        (GateSection(), 4, 6, "cannot tell", "would do"),
        (GateSection(), 20, 0, "refused", "-50.0 points"),
        (GateSection(min_gain=0.4), 0, 20, "cannot tell", "Wanted: a gain of more than 40.0 points. 40 rows are"),
        (GateSection(min_gain=0.2), 0, 20, "passed", "Wanted: a gain of more than 20.0 points. Reached"),
        (GateSection(min_gain=0.8), 0, 20, "refused", "Surely missed"),
        (GateSection(min_score=0.9), 0, 20, "refused", "Wanted: at least 90.0%. Surely missed"),
        (
            GateSection(min_score=0.7),
            0,
            20,
            "cannot tell",
            "Wanted: at least 70.0%. 40 rows are too few to be sure: about",
        ),
        (GateSection(min_score=0.6), 0, 20, "passed", "Wanted: at least 60.0%. Reached"),
        (GateSection(min_gain=-0.2), 1, 0, "passed", "Wanted: no loss of 20.0 points or more. Reached"),
        (GateSection(min_gain=-1), 20, 0, "passed", "-50.0 points"),
        (GateSection(confidence=0.7), 4, 8, "passed", "+12.5 points"),
    ],
)
def test_the_gate_decides_and_says_why(
    gate: GateSection, base_only: int, tuned_only: int, outcome: str, words: str
) -> None:
    decision = judge(gate, base_only, tuned_only)
    assert decision.outcome == outcome
    assert decision.passed == (outcome == "passed")
    assert words in " ".join(decision.reasons)


def test_what_stands_for_the_base_is_called_by_its_name() -> None:
    base, tuned = (measured(rights) for rights in models(0, 20, 10, 10))
    baseline = base._replace(scores=base.scores.model_copy(update={"who": "linear baseline"}))
    reason = decide(SQL, GateSection(), METRIC, tuned, baseline).reasons[0]
    assert "+50.0 points against the linear baseline on the same 40 rows" in reason


def test_where_no_row_can_be_judged_nothing_passes() -> None:
    unknown = measured([None] * 5)  # type: ignore[list-item]
    decision = decide(SQL, GateSection(min_score=0.1, min_gain=-1), METRIC, unknown, unknown)
    assert {condition.outcome for condition in decision.conditions} == {"cannot tell"}


def test_the_rows_that_would_tell_do_tell() -> None:
    """The same shares on as many rows as the gate asked for."""
    unsure = judge(GateSection(), 10, 16, 37, 37)
    assert unsure.outcome == "cannot tell"
    needed = int(unsure.reasons[0].split("about ")[1].split(" would")[0].replace(",", ""))
    share = needed / 100
    assert judge(GateSection(), *(round(part * share) for part in (10, 16, 37, 37))).outcome == "passed"


@pytest.mark.parametrize(
    ("max_loss", "counts", "outcome"),
    [
        (0.02, (10, 10, 480, 500), "passed"),  # as good, and enough rows to show it
        (0.02, (10, 10, 80, 100), "cannot tell"),  # as good, but 200 rows do not show it
        (0.02, (60, 10, 430, 500), "refused"),
        (0.0, (10, 10, 480, 500), "cannot tell"),  # 0 wants the champion beaten
        (0.0, (10, 30, 460, 500), "passed"),
        (1.0, (3, 0, 1, 2), "passed"),  # any loss will do
    ],
)
def test_the_champion_must_not_be_surely_better(
    max_loss: float, counts: tuple[int, int, int, int], outcome: str
) -> None:
    found = beside_champion(GateSection(max_loss=max_loss, min_gain=-1), *counts)
    assert (found.name, found.outcome) == ("max_loss", outcome), found.reason


def test_without_max_loss_the_champion_is_not_asked() -> None:
    found = beside_champion(GateSection(max_loss=None), 60, 0, 10, 10)
    assert found.name == "min_gain"


def test_a_gain_in_a_few_schemas_only_is_not_shown() -> None:
    """20 rows gained, none lost: clear for independent rows, not when all of them are about two of twelve schemas."""
    base, tuned = models(0, 20, 50, 50)
    alone = decide(SQL, GateSection(), METRIC, measured(tuned), measured(base))
    gathered = decide(SQL, GateSection(), METRIC, measured(tuned, groups=12), measured(base, groups=12))
    assert alone.outcome == "passed"
    assert gathered.outcome == "cannot tell"
    assert "whole schemas" in gathered.reasons[0]


@pytest.mark.parametrize(
    ("gate", "outcome", "words"),
    [
        ({"max_latency_seconds": 0.2}, "passed", "0.10 s is within the limit of 0.20 s"),
        ({"max_latency_seconds": 0.05}, "refused", "0.10 s is above the limit of 0.05 s"),
        ({"max_error_rate": 0.5}, "passed", "50.0% is within the limit of 50.0%"),
        ({"max_error_rate": 0.01}, "refused", "the error rate of 50.0%"),
        ({"max_invalid_sql": 0.3}, "passed", "25.0% is within the limit of 30.0%"),
        ({"max_invalid_sql": 0.2}, "refused", "invalid SQL of 25.0%"),
    ],
)
def test_limits_hold_for_what_was_measured(gate: dict[str, float], outcome: str, words: str) -> None:
    base, tuned = models(0, 20, 10, 10)
    decision = decide(SQL, GateSection(**gate), METRIC, measured(tuned, valid=0.75, failed=1), measured(base))  # type: ignore[arg-type]
    assert decision.conditions[-1].name == next(iter(gate))
    assert decision.outcome == outcome
    assert words in decision.reasons[-1]


def test_one_refusal_weighs_more_than_what_cannot_be_told() -> None:
    decision = judge(GateSection(min_score=0.7, min_gain=0.8), 0, 20)
    assert {condition.outcome for condition in decision.conditions} == {"cannot tell", "refused"}
    assert decision.outcome == "refused"
