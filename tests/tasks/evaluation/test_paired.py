"""The gate's statistics: against figures of scipy and statsmodels, and against what happens to thousands of models."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, norm

from finetune_flows.tasks.evaluation.paired import (
    differing_share,
    p_above,
    rows_needed,
    rows_needed_for_share,
    smallest_difference,
)

ALPHA = 0.05


@pytest.mark.parametrize(
    ("only_first", "only_second", "two_sided"),
    # statsmodels 0.15: mcnemar([[101, 121], [59, 33]], exact=True).pvalue and so on
    [(59, 121, 4.4344492637551645e-06), (1, 9, 0.021484375), (12, 25, 0.04703102743951604), (0, 7, 0.015625)],
)
def test_at_bound_0_it_is_the_exact_mcnemar_test(only_first: int, only_second: int, two_sided: float) -> None:
    found = p_above(only_first, only_second, 500, 0)
    assert float(found) == pytest.approx(two_sided / 2)
    exact = binomtest(only_second, only_first + only_second, alternative="greater")
    assert float(found) == pytest.approx(exact.pvalue)


def test_no_row_that_differs_shows_no_gain() -> None:
    assert float(p_above(0, 0, 100, 0)) == 1.0


@pytest.mark.parametrize("bound", [-0.1, -0.02, 0.03, 0.2])
@pytest.mark.parametrize("counts", [(12, 25, 200), (40, 20, 160), (0, 9, 60), (5, 0, 60), (0, 0, 50)])
def test_away_from_0_it_is_the_score_test_with_the_likeliest_table_under_the_bound(
    counts: tuple[int, int, int], bound: float
) -> None:
    """Tango's closed form against the likelihood maximised by search."""
    first, second, n = counts
    share = likeliest_share(first, second, n, bound)
    z = (second - first - n * bound) / np.sqrt(n * (2 * share + bound * (1 - bound)))
    assert float(p_above(first, second, n, bound)) == pytest.approx(norm.sf(z), abs=1e-4)


def likeliest_share(first: int, second: int, n: int, bound: float) -> float:
    """Share of rows that only the first model gets right, under which the counts are likeliest if the difference is `bound`."""

    def surprise(share: float) -> float:
        parts = np.clip([share, share + bound, 1 - 2 * share - bound], 1e-12, 1)
        return float(-np.dot([first, second, n - first - second], np.log(parts)))

    found = minimize_scalar(
        surprise, bounds=(max(0.0, -bound), (1 - bound) / 2), method="bounded", options={"xatol": 1e-10}
    )
    return float(found.x)


def test_near_0_the_score_test_is_mcnemars_own_without_the_continuity() -> None:
    assert float(p_above(12, 25, 200, 1e-9)) == pytest.approx(norm.sf(13 / np.sqrt(37)), abs=1e-6)


def test_bounds_that_cannot_be_missed_or_reached() -> None:
    assert float(p_above(10, 0, 10, -1)) == 0.0
    assert float(p_above(0, 10, 10, 1)) == 1.0


def drawn(n: int, only_first: float, only_second: float, times: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Counts of so many pairs of models: the rows that only the first, and only the second got right."""
    rest = 1 - only_first - only_second
    counts = np.random.default_rng(1).multinomial(n, [only_first, only_second, rest], size=times)
    return counts[:, 0], counts[:, 1]


@pytest.mark.parametrize("n", [40, 200, 1000])
@pytest.mark.parametrize("differing", [0.02, 0.1, 0.3])
def test_of_2000_models_as_good_as_the_other_at_most_one_in_twenty_is_promoted(n: int, differing: float) -> None:
    first, second = drawn(n, differing / 2, differing / 2, 2000)
    false = float(np.mean(p_above(first, second, n, 0) <= ALPHA))
    assert false <= ALPHA + three_errors(2000)


@pytest.mark.parametrize(("n", "loss"), [(200, 0.05), (1000, 0.02), (1000, 0.05)])
@pytest.mark.parametrize("differing", [0.1, 0.3])
def test_of_2000_models_just_too_bad_at_most_one_in_twenty_passes_beside_the_champion(
    n: int, loss: float, differing: float
) -> None:
    first, second = drawn(n, (differing + loss) / 2, (differing - loss) / 2, 2000)
    false = float(np.mean(p_above(first, second, n, -loss) <= ALPHA))
    assert false <= ALPHA + three_errors(2000)


@pytest.mark.parametrize("differing", [0.1, 0.2, 0.25])
def test_five_points_on_1000_rows_are_found_nine_times_in_ten(differing: float) -> None:
    """When one row in four, or fewer, is answered rightly by just one of the two models."""
    first, second = drawn(1000, (differing - 0.05) / 2, (differing + 0.05) / 2, 2000)
    assert float(np.mean(p_above(first, second, 1000, 0) <= ALPHA)) >= 0.9


@pytest.mark.parametrize(("difference", "differing", "bound"), [(0.05, 0.2, 0), (0.0, 0.1, -0.03), (0.1, 0.3, 0.05)])
def test_the_rows_that_are_said_to_be_needed_show_the_difference_nine_times_in_ten(
    difference: float, differing: float, bound: float
) -> None:
    n = rows_needed(difference, differing, bound, 0.95)
    assert n is not None
    first, second = drawn(n, (differing - difference) / 2, (differing + difference) / 2, 4000)
    power = float(np.mean(p_above(first, second, n, bound) <= ALPHA))
    assert power == pytest.approx(0.9, abs=0.03)  # the exact test is a little more careful than the formula
    assert smallest_difference(n, differing, 0.95) == pytest.approx(difference - bound, rel=0.1)


def test_what_lies_on_the_bound_is_never_told() -> None:
    assert rows_needed(0.02, 0.1, 0.02, 0.95) is None
    assert rows_needed_for_share(0.5, 0.5, 0.95) is None


def test_the_rows_that_a_share_needs() -> None:
    """The textbook case: 0.5 against 0.4 at 95 % one-sided and 90 % power."""
    needed = rows_needed_for_share(0.5, 0.4, 0.95)
    expected = ((1.644854 * np.sqrt(0.24) + 1.281552 * np.sqrt(0.25)) / 0.1) ** 2
    assert needed == int(np.ceil(expected))


def test_no_row_seen_to_differ_is_not_none() -> None:
    assert differing_share(0, 0, 100) == pytest.approx(0.037, abs=0.001)
    assert differing_share(3, 5, 100) == 0.08


def three_errors(times: int) -> float:
    """Three standard errors of a share of 5 % among so many."""
    return 3 * float(np.sqrt(ALPHA * (1 - ALPHA) / times))
