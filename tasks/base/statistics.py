"""Scores with their uncertainty: proportions, other scores by bootstrap, and paired comparisons of two models."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.stats._result_classes import BinomTestResult

Statistic = Callable[["NDArray[Any]"], "NDArray[Any]"]
"""From [draws, rows], how often each row was drawn, to [..., draws]: one or several scores of each draw."""

RESAMPLES = 2_000
COMPARISON_RESAMPLES = 5_000
FEWEST_GROUPS = 10
_DRAWN_AT_ONCE = 100  # draws per matrix product: bounds memory to 100 x rows


class Proportion(Frozen):
    """A share of rows with its 95 % Wilson score interval. For n = 0 the interval is 0 to 1."""

    successes: int = Field(ge=0)
    n: int = Field(ge=0)
    value: float = Field(ge=0, le=1, description="successes / n; 0 when n = 0.")
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)

    @classmethod
    def of(cls, successes: int, n: int) -> Self:
        """From counts, with Wilson's interval (1927), by scipy."""
        if n == 0:
            return cls(successes=0, n=0, value=0.0, low=0.0, high=1.0)
        interval = _binomial_test(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
        return cls(successes=successes, n=n, value=successes / n, low=interval.low, high=interval.high)

    @classmethod
    def among(cls, outcomes: Iterable[bool | None]) -> Self:
        """The share of True; None is left out."""
        known = [outcome for outcome in outcomes if outcome is not None]
        return cls.of(sum(known), len(known))


class Estimate(Frozen):
    """A score that is not a share of rows, with its 95 % bootstrap interval over n rows."""

    value: float
    low: float
    high: float
    n: int = Field(ge=0)

    @classmethod
    def of(cls, value: float, drawn: "NDArray[Any]", n: int) -> Self:
        """From a value and its [draws] scores on resampled rows."""
        import numpy as np

        low, high = np.quantile(drawn, [0.025, 0.975])
        return cls(value=float(value), low=float(low), high=float(high), n=n)

    @classmethod
    def mean(cls, values: "ArrayLike") -> Self:
        """The mean over rows. Without rows the interval is 0 to 1."""
        import numpy as np

        found = np.asarray(values, dtype=float)
        if not len(found):
            return cls(value=0, low=0, high=1, n=0)
        return cls.of(found.mean(), resample(mean_of(found), np.arange(len(found))), len(found))


class Bootstrap(Frozen):
    """The interval of a paired difference by resampling: percentiles over `resamples` draws.

    The exact test and Newcombe's interval treat rows as independent. Rows about one schema are not: a model that misreads
    the schema fails in all of them. So whole groups are drawn or, if there are fewer than 10 groups, single rows.
    """

    low: float = Field(ge=-1, le=1)
    high: float = Field(ge=-1, le=1)
    drawn: Literal["groups", "rows"]
    groups: int = Field(ge=0)
    resamples: int = Field(ge=0)


class Comparison(Frozen):
    """Two models on the same n rows: how many rows both got right, only one, or neither."""

    n: int = Field(ge=0)
    both: int = Field(ge=0)
    only_first: int = Field(ge=0)
    only_second: int = Field(ge=0)
    neither: int = Field(ge=0)
    difference: float = Field(ge=-1, le=1, description="Share of the second minus share of the first; 0 if n = 0.")
    low: float = Field(ge=-1, le=1, description="Lower end of the 95 % interval of the difference.")
    high: float = Field(ge=-1, le=1)
    p_value: float = Field(ge=0, le=1, description="Exact McNemar test, two-sided; 1 if no row differs.")
    bootstrap: Bootstrap | None = Field(None, description="The interval by resampling, which respects groups of rows.")

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> Self:
        """From (first right, second right) for every row."""
        counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
        for first, second in pairs:
            counts[bool(first), bool(second)] += 1
        both, only_first, only_second, neither = (
            counts[pair] for pair in ((True, True), (True, False), (False, True), (False, False))
        )
        low, high = _difference_interval(both, only_second, only_first, neither)
        n, differing = sum(counts.values()), only_first + only_second
        return cls(
            n=n, both=both, only_first=only_first, only_second=only_second, neither=neither,
            difference=(only_second - only_first) / n if n else 0.0, low=low, high=high,
            p_value=float(_binomial_test(only_second, differing).pvalue) if differing else 1.0,
        )  # fmt: skip


def resample(statistic: Statistic, places: "NDArray[Any]", draws: int = RESAMPLES) -> "NDArray[Any]":
    """[..., draws]: the scores on rows drawn with replacement. The seed is fixed.

    `places` [rows]: number of each row's group, from 0; groups are drawn whole. All scores that are resampled over the same
    groups get the same draws, so that their differences are paired.

    B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993.
    """
    import numpy as np  # imported here for the same reason as in _binomial_test

    # Not scipy.stats.bootstrap, which draws rows one by one: with counts, F1 over many labels is one matrix product.
    random, groups = np.random.default_rng(0), int(places.max()) + 1
    shares = np.full(groups, 1 / groups)
    weights = (random.multinomial(groups, shares, size=_DRAWN_AT_ONCE) for _ in range(draws // _DRAWN_AT_ONCE))
    return np.concatenate([statistic(each[:, places]) for each in weights], axis=-1)


def drawn_together(groups: Sequence[str]) -> "NDArray[Any]":
    """The number of each row's group; if there are fewer than 10 groups, each row is a group of its own."""
    import numpy as np

    names, places = np.unique(np.asarray(groups), return_inverse=True)
    return places if len(names) >= FEWEST_GROUPS else np.arange(len(groups))


def mean_of(values: "ArrayLike") -> Statistic:
    """The mean over rows of [rows] values."""
    import numpy as np

    summed = np.asarray(values, dtype=float)
    return lambda weights: np.asarray(weights @ summed / weights.sum(axis=1))


def bootstrap(
    pairs: Sequence[tuple[float, float]], groups: Sequence[str], confidence: float = 0.95
) -> Bootstrap | None:
    """The interval of the difference, from (first, second) scores and the group of every row; None for fewer than 2 rows."""
    import numpy as np

    if len(pairs) < 2:
        return None
    gains = [float(second) - float(first) for first, second in pairs]
    drawn = resample(mean_of(gains), drawn_together(groups), COMPARISON_RESAMPLES)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    count = len(set(groups))
    what: Literal["groups", "rows"] = "groups" if count >= FEWEST_GROUPS else "rows"
    return Bootstrap(low=float(low), high=float(high), drawn=what, groups=count, resamples=COMPARISON_RESAMPLES)


def _difference_interval(both: int, plus: int, minus: int, neither: int) -> tuple[float, float]:
    """95 % interval for the difference of two paired proportions.

    Method 10 of R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", Statistics in Medicine 17 (1998), 2635-2650: the Wilson intervals of both proportions, squared and
    added, reduced by the correlation of the pairs (with its continuity correction).
    """
    n = both + plus + minus + neither
    if n == 0:
        return -1.0, 1.0
    first, second = Proportion.of(both + plus, n), Proportion.of(both + minus, n)
    spread = (both + plus) * (minus + neither) * (both + minus) * (plus + neither)
    product = both * neither - plus * minus
    corrected = max(product - n / 2, 0.0) if product > 0 else product
    phi = corrected / math.sqrt(spread) if spread else 0.0
    below = _length(first.value - first.low, second.high - second.value, phi)
    above = _length(first.high - first.value, second.value - second.low, phi)
    difference = first.value - second.value
    return max(difference - below, -1.0), min(difference + above, 1.0)


def _length(a: float, b: float, phi: float) -> float:
    return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))


def _binomial_test(successes: int, n: int) -> "BinomTestResult":
    from scipy.stats import binomtest  # imported here: it takes a second, which commands without scores save

    return binomtest(successes, n)
