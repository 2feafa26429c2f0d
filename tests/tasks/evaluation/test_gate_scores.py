"""Conditions on F1 and other scores that are no shares of rows."""

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import f1_score

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.evaluation.gate import Condition, Measured, decide
from finetune_flows.tasks.evaluation.gate_scores import drawn_score
from finetune_flows.tasks.evaluation.scores import About, summarise
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.recipe import Chat, GateSection, TextClassification, parse_recipe

NAMES = ["bad", "fine", "good"]
LABELS = TextClassification()
Chosen = np.ndarray


def classifier(gold: Chosen, chosen: Chosen, groups: int = 0) -> Measured:
    verdicts = [
        Verdict(
            id=f"{row:05d}",
            group=str(row % groups) if groups else None,
            outcomes={"accuracy": bool(right == said)},
            labels={"right": [NAMES[right]], "chosen": [NAMES[said]]},
            kind="",
        )
        for row, (right, said) in enumerate(zip(gold, chosen, strict=True))
    ]
    judged = Judged(verdicts, details={"labels": NAMES})
    return Measured(summarise(judged, [], About("d", "m")), verdicts)


def noisy(random: np.random.Generator, gold: Chosen, error: float) -> Chosen:
    """The labels, of which a share was drawn anew."""
    return np.where(random.random(len(gold)) < error, random.integers(0, 3, len(gold)), gold)


def beside_base(gold: Chosen, base: Chosen, tuned: Chosen, **limits: float) -> Condition:
    gate = GateSection.model_validate({"min_gain": -1, "scores": {"macro_f1": limits}})
    return decide(LABELS, gate, "accuracy", classifier(gold, tuned), classifier(gold, base)).conditions[-1]


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_the_difference_is_scikit_learns_and_its_interval_scipys(average: str) -> None:
    random = np.random.default_rng(3)
    gold = random.choice(3, 300, p=[0.6, 0.3, 0.1])
    first, second = noisy(random, gold, 0.5), noisy(random, gold, 0.3)

    def gain(rows: np.ndarray) -> float:
        scores = [
            f1_score(gold[rows], said[rows], average=average, labels=[0, 1, 2], zero_division=0)
            for said in (first, second)
        ]
        return float(scores[1] - scores[0])

    drawn = drawn_score(LABELS, f"{average}_f1", [classifier(gold, first), classifier(gold, second)])
    assert drawn.value == pytest.approx(gain(np.arange(300)))
    theirs = scipy_bootstrap(
        (np.arange(300),), gain, vectorized=False, method="percentile", n_resamples=400, confidence_level=0.9, rng=1
    ).confidence_interval
    assert drawn.quantile(0.05) == pytest.approx(theirs.low, abs=0.015)
    assert drawn.quantile(0.95) == pytest.approx(theirs.high, abs=0.015)


@pytest.mark.parametrize(
    ("errors", "limits", "outcome"),
    [
        ((0.6, 0.2), {"min_gain": 0.0}, "passed"),
        ((0.2, 0.6), {"min_gain": 0.0}, "refused"),
        ((0.3, 0.3), {"min_gain": 0.0}, "cannot tell"),
        ((0.3, 0.3), {"min_gain": -0.3}, "passed"),
        ((0.5, 0.1), {"min_score": 0.7}, "passed"),
        ((0.5, 0.9), {"min_score": 0.7}, "refused"),
    ],
)
def test_each_outcome(errors: tuple[float, float], limits: dict[str, float], outcome: str) -> None:
    random = np.random.default_rng(7)
    gold = random.integers(0, 3, 250)
    found = beside_base(gold, noisy(random, gold, errors[0]), noisy(random, gold, errors[1]), **limits)
    assert found.outcome == outcome
    assert ("would do" in found.reason) == (outcome == "cannot tell")


def test_the_champion_is_compared_too_and_means_of_rows_are_scores() -> None:
    random = np.random.default_rng(5)

    def chats(quality: float) -> Measured:
        values = np.clip(random.normal(quality, 0.1, 200), 0, 1)
        verdicts = [
            Verdict(id=str(row), outcomes={"exact_match": False}, values={"chrf": float(value)}, kind="")
            for row, value in enumerate(values)
        ]
        return Measured(summarise(Judged(verdicts), [], About("d", "m")), verdicts)

    gate = GateSection.model_validate(
        {"min_gain": -1, "scores": {"chrf": {"min_gain": 0, "max_loss": 0.05}}, "max_loss": None}
    )
    decision = decide(Chat(), gate, "exact_match", chats(0.5), chats(0.3), chats(0.7))
    assert [(each.name, each.outcome) for each in decision.conditions[1:]] == [
        ("scores.chrf.min_gain", "passed"),
        ("scores.chrf.max_loss", "refused"),
    ]


def test_rows_that_belong_together_are_drawn_together() -> None:
    """Each row ten times over is no more evidence than once."""
    random = np.random.default_rng(11)
    gold = random.integers(0, 3, 60)
    first, second = noisy(random, gold, 0.5), noisy(random, gold, 0.35)
    once = drawn_score(LABELS, "macro_f1", [classifier(gold, first), classifier(gold, second)])
    gold, first, second = (np.tile(each, 10) for each in (gold, first, second))
    tenfold = drawn_score(LABELS, "macro_f1", [classifier(gold, first, groups=60), classifier(gold, second, groups=60)])
    assert tenfold.spread == pytest.approx(once.spread, rel=0.1)


def false_promotions(pairs: int, n: int, seed: int) -> int:
    """How many of so many pairs of equally good models pass `min_gain: 0`."""
    random = np.random.default_rng(seed)
    passed = 0
    for _ in range(pairs):
        gold = random.choice(3, n, p=[0.5, 0.3, 0.2])
        passed += (
            beside_base(gold, noisy(random, gold, 0.3), noisy(random, gold, 0.3), min_gain=0.0).outcome == "passed"
        )
    return passed


def test_models_of_equal_quality_pass_no_oftener_than_stated() -> None:
    assert false_promotions(50, 150, seed=1) <= binom.isf(0.001, 50, 0.05)


@pytest.mark.slow
def test_models_of_equal_quality_pass_no_oftener_than_stated_in_2000_pairs() -> None:
    """The percentile bootstrap is a little liberal on few rows: within half a point of the stated rate at n = 200."""
    assert false_promotions(2000, 200, seed=2) <= binom.isf(0.01, 2000, 0.055)


def test_a_score_that_the_problem_does_not_have_is_a_mistake_in_the_recipe() -> None:
    content = {
        "name": "t",
        "problem": {"kind": "chat"},
        "dataset": {"source": "rows.jsonl"},
        "model": {"source": "m"},
        "gate": {"scores": {"macro_f1": {"min_gain": 0}}},
    }
    with pytest.raises(RecipeError, match=r"gate\.scores\.macro_f1: unknown; permitted are rouge_l, chrf"):
        parse_recipe(content, "t")
