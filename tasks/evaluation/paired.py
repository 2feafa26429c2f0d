"""Is one model better than another by more than a bound, on the same rows? Tests, and the number of rows they need.

All functions take counts or arrays of counts: `only_first` and `only_second` are the rows that only one of the two models
got right, `n` all rows. The difference is the second model's share of right rows minus the first's.
"""

import math
from typing import TYPE_CHECKING, Any

from finetune_flows.tasks.base.statistics import Proportion

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

POWER = 0.9
"""Power of the tests: n rows "can show" a difference if they show it nine times out of ten."""


def p_above(only_first: "ArrayLike", only_second: "ArrayLike", n: "ArrayLike", bound: float) -> "NDArray[Any]":
    """One-sided p-value of "the difference is at most `bound`": small if the rows show that it is larger.

    At bound 0 the exact McNemar test: of the rows that differ, half should go either way. At any other bound the score
    test of T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17 (1998), 891-908, which is asymptotic and at bound 0 is McNemar's own.
    """
    import numpy as np
    from scipy.stats import binom, norm  # imported here: it takes a second, which commands without scores save

    first, second = np.asarray(only_first), np.asarray(only_second)
    if abs(bound) >= 1:
        return np.full(np.broadcast(first, second, n).shape, 0.0 if bound < 0 else 1.0)
    if bound == 0:
        return np.asarray(binom.sf(second - 1, first + second, 0.5))
    return np.asarray(norm.sf(_tango(first, second, np.asarray(n), bound)))


def _tango(first: "NDArray[Any]", second: "NDArray[Any]", n: "NDArray[Any]", bound: float) -> "NDArray[Any]":
    """The score statistic. `share` is the likeliest share of `only_first` when the difference is `bound`."""
    import numpy as np

    a, b = 2 * n, -(first + second) + (2 * n - second + first) * bound
    share = (np.sqrt(b * b + 4 * a * first * bound * (1 - bound)) - b) / (2 * a)
    return np.asarray((second - first - n * bound) / np.sqrt(n * (2 * share + bound * (1 - bound))))


def rows_needed(difference: float, differing: float, bound: float, confidence: float) -> int | None:
    """Rows needed to distinguish a difference from `bound` nine times out of ten; None if the two are equal.

    `differing` is the share of rows that only one model gets right. R. J. Connor, "Sample size for testing differences in
    proportions for the paired-sample design", Biometrics 43 (1987), 207-211, with the bound in place of 0.
    """
    return _rows(differing - bound**2, differing - difference**2, difference - bound, confidence)


def rows_needed_for_share(share: float, bound: float, confidence: float) -> int | None:
    """Rows needed to distinguish one share from `bound`, by the normal approximation of the binomial test."""
    return _rows(bound * (1 - bound), share * (1 - share), share - bound, confidence)


def _rows(variance_on_bound: float, variance: float, distance: float, confidence: float) -> int | None:
    if distance == 0:
        return None
    false_alarm, miss = _quantiles(confidence)
    spread = false_alarm * math.sqrt(max(variance_on_bound, 0)) + miss * math.sqrt(max(variance, 0))
    return max(1, math.ceil((spread / distance) ** 2))


def smallest_difference(n: int, differing: float, confidence: float) -> float:
    """The smallest difference from a bound that n rows show nine times out of ten (Connor, slightly conservative)."""
    return min(1.0, sum(_quantiles(confidence)) * math.sqrt(differing / n)) if n else 1.0


def differing_share(only_first: int, only_second: int, n: int) -> float:
    """Share of rows that only one model gets right, for planning."""
    share = Proportion.of(only_first + only_second, n)
    return share.value or share.high  # none among n rows does not mean 0: plan with the upper end of the interval


def _quantiles(confidence: float) -> tuple[float, float]:
    from scipy.stats import norm

    return float(norm.ppf(confidence)), float(norm.ppf(POWER))
