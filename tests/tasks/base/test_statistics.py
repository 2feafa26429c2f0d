import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap as scipy_bootstrap

from finetune_flows.tasks.base.statistics import Comparison, Estimate, Proportion, bootstrap, mean_of, resample

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


def table(both: int, only_first: int, only_second: int, neither: int) -> list[tuple[bool, bool]]:
    counts = {(True, True): both, (True, False): only_first, (False, True): only_second, (False, False): neither}
    return list(itertools.chain.from_iterable([pair] * count for pair, count in counts.items()))


def test_the_wilson_interval_of_the_tutorials_score() -> None:
    score = Proportion.of(784, 1000)
    assert (round(score.low, 3), round(score.high, 3)) == (0.757, 0.808)


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_value_and_mirrors(counts: tuple[int, int]) -> None:
    successes, n = counts
    score, mirrored = Proportion.of(successes, n), Proportion.of(n - successes, n)
    assert 0 <= score.low <= score.value <= score.high <= 1
    assert score.high - score.low > 0
    assert math.isclose(score.low, 1 - mirrored.high, abs_tol=1e-9)


def test_nothing_is_known_of_no_rows() -> None:
    assert Proportion.of(0, 0) == Proportion(successes=0, n=0, value=0, low=0, high=1)
    empty = Comparison.of([])
    assert (empty.n, empty.difference, empty.low, empty.high, empty.p_value) == (0, 0, -1, 1, 1)


def test_what_cannot_be_told_is_left_out() -> None:
    assert Proportion.among([True, None, False, None, True]) == Proportion.of(2, 3)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Altman et al., "Statistics with Confidence", 2nd ed. (2000), table 6.2: 0.122 (0.011 to 0.226)
        ((14, 0, 5, 22), 0.0115, 0.2265),
        # Bentur et al. (2009), in Fagerland et al., "Statistical Analysis of Contingency Tables", chapter 8
        ((1, 7, 1, 12), -0.5069, -0.0256),
    ],
)
def test_the_interval_of_a_paired_difference_is_newcombes(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = Comparison.of(table(*counts))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_the_p_value_is_the_exact_mcnemar_test() -> None:
    assert Comparison.of(table(50, 1, 9, 40)).p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert Comparison.of(table(50, 0, 0, 50)).p_value == 1.0


@settings(deadline=None)
@given(PAIRS)
def test_exchanging_the_models_turns_the_comparison_round(pairs: list[tuple[bool, bool]]) -> None:
    there, back = Comparison.of(pairs), Comparison.of([(b, a) for a, b in pairs])
    assert (there.both, there.only_first, there.neither, there.n) == (back.both, back.only_second, back.neither, back.n)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
    assert there.p_value == back.p_value
    assert -1 <= there.low <= there.difference + 1e-12
    assert there.difference - 1e-12 <= there.high <= 1


def test_the_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    """800 evaluations of 100 rows by two models of 60 % and 70 % that agree more than by chance."""
    rng = random.Random(5)
    covered = 0
    for _ in range(800):
        drawn = rng.choices([(True, True), (True, False), (False, True), (False, False)], [55, 5, 15, 25], k=100)
        found = Comparison.of(drawn)
        covered += found.low <= 0.10 <= found.high
    assert 0.93 <= covered / 800 <= 0.98


def test_the_bootstrap_of_single_rows_is_near_newcombes_interval() -> None:
    pairs = table(55, 5, 15, 25)
    found = bootstrap(pairs, [str(n) for n in range(len(pairs))])
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.02, abs=0.03), pytest.approx(0.19, abs=0.03))
    assert found == bootstrap(pairs, [str(n) for n in range(len(pairs))]), "the seed is fixed"


def test_rows_of_one_schema_are_drawn_together() -> None:
    """A gain that a few schemas make is less sure than the same gain all over the place."""
    pairs = table(40, 0, 20, 40)
    scattered = [str(n % 20) for n in range(100)]
    gathered = [str(n // 5) for n in range(100)]
    wide, narrow = bootstrap(pairs, gathered), bootstrap(pairs, scattered)
    assert wide is not None
    assert narrow is not None
    assert (wide.drawn, wide.groups) == ("groups", 20)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_few_groups_cannot_be_drawn_from_and_no_rows_say_nothing() -> None:
    found = bootstrap(table(5, 0, 5, 5), ["one"] * 15)
    assert found is not None
    assert (found.drawn, found.groups) == ("rows", 1)
    assert bootstrap([], []) is None
    same = bootstrap(table(10, 0, 0, 0), [str(n) for n in range(10)])
    assert same is not None
    assert (same.low, same.high) == (0, 0)


def test_the_draws_are_those_of_scipys_bootstrap_but_for_chance() -> None:
    """Of a skewed mean, and of a difference on groups of unequal size."""
    random_ = np.random.default_rng(2)
    values = random_.exponential(size=150)
    ours = Estimate.mean(values)
    theirs = scipy_bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=0.02), pytest.approx(theirs.high, abs=0.02))

    groups = np.sort(random_.integers(0, 30, 240))
    gains = random_.integers(-1, 2, 240) + (groups < 10)
    found = bootstrap([(0, gain) for gain in gains], [str(group) for group in groups])
    sums, sizes = np.bincount(groups, weights=gains), np.bincount(groups)
    theirs = scipy_bootstrap(
        (sums, sizes), lambda gained, rows, axis: gained.sum(axis) / rows.sum(axis), paired=True, vectorized=True,
        method="percentile", n_resamples=20_000, rng=1,
    ).confidence_interval  # fmt: skip
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(theirs.low, abs=0.02), pytest.approx(theirs.high, abs=0.02))


def test_several_scores_get_the_same_draws() -> None:
    values, places = np.arange(20.0), np.arange(20)
    both = resample(lambda weights: np.stack([mean_of(values)(weights), mean_of(2 * values)(weights)]), places)
    assert both.shape == (2, 2000)
    assert both[1] == pytest.approx(2 * both[0])
    assert both[0] == pytest.approx(resample(mean_of(values), places))


def test_of_no_rows_no_mean_is_known() -> None:
    assert Estimate.mean([]) == Estimate(value=0, low=0, high=1, n=0)
