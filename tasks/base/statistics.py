"""Scores with their uncertainty: proportions, and the paired comparison of two models on the same rows."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.stats._result_classes import BinomTestResult

RESAMPLES = 5_000
FEWEST_GROUPS = 10


class Proportion(Frozen):
    """A share of rows with its 95 % Wilson score interval. With n = 0 nothing is known: the interval is 0 to 1."""

    successes: int = Field(ge=0)
    n: int = Field(ge=0)
    value: float = Field(ge=0, le=1, description="successes / n; 0 when n = 0.")
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)

    @classmethod
    def of(cls, successes: int, n: int) -> Self:
        """Wilson's interval (1927), by scipy."""
        if n == 0:
            return cls(successes=0, n=0, value=0.0, low=0.0, high=1.0)
        interval = _binomial_test(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
        return cls(successes=successes, n=n, value=successes / n, low=interval.low, high=interval.high)

    @classmethod
    def among(cls, outcomes: Iterable[bool | None]) -> Self:
        """The share of True. None is left out."""
        known = [outcome for outcome in outcomes if outcome is not None]
        return cls.of(sum(known), len(known))


class Bootstrap(Frozen):
    """The interval (95 % unless told otherwise) of a paired difference by resampling: percentiles over `resamples` draws of whole groups.

    The exact test and Newcombe's interval take the rows for independent. Rows about one schema are not: a model that
    misreads it fails in all of them. So whole groups are drawn; where there are fewer than 10, single rows.
    """

    low: float = Field(ge=-1, le=1)
    high: float = Field(ge=-1, le=1)
    drawn: Literal["groups", "rows"]
    groups: int = Field(ge=0)
    resamples: int = Field(ge=0)


class Comparison(Frozen):
    """Two models on the same n rows: how many both got right, only one, or neither."""

    n: int = Field(ge=0)
    both: int = Field(ge=0)
    only_first: int = Field(ge=0)
    only_second: int = Field(ge=0)
    neither: int = Field(ge=0)
    difference: float = Field(ge=-1, le=1, description="Share of the second minus share of the first; 0 when n = 0.")
    low: float = Field(ge=-1, le=1, description="Lower end of the 95 % interval of the difference.")
    high: float = Field(ge=-1, le=1)
    p_value: float = Field(ge=0, le=1, description="Exact McNemar test, two-sided; 1 when no row differs.")
    bootstrap: Bootstrap | None = Field(None, description="The interval once more, with rows that belong together.")

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


def bootstrap(
    pairs: Sequence[tuple[float, float]], groups: Sequence[str], confidence: float = 0.95
) -> Bootstrap | None:
    """From the scores of the first and the second model (or right and wrong) and the group of every row.

    The seed is fixed. None of fewer than two rows.
    """
    import numpy as np  # here for the reason that _binomial_test gives
    from scipy.stats import bootstrap as resample

    if len(pairs) < 2:
        return None
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    drawn: Literal["groups", "rows"] = "groups" if len(names) >= FEWEST_GROUPS else "rows"
    if drawn == "rows":
        places = np.arange(len(pairs))
    gains = np.bincount(places, weights=[float(second) - float(first) for first, second in pairs])
    sizes = np.bincount(places)
    found = resample(
        (gains, sizes),
        _ratio,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=500,
        method="percentile",
        confidence_level=confidence,
        rng=0,
    ).confidence_interval
    return Bootstrap(low=found.low, high=found.high, drawn=drawn, groups=len(names), resamples=RESAMPLES)


def _ratio(gains: "NDArray[Any]", sizes: "NDArray[Any]", axis: int) -> Any:
    """Rows gained over rows: the draws differ in size when groups do."""
    return gains.sum(axis=axis) / sizes.sum(axis=axis)


def _difference_interval(both: int, plus: int, minus: int, neither: int) -> tuple[float, float]:
    """95 % interval for the difference of two paired proportions.

    Method 10 of R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", Statistics in Medicine 17 (1998), 2635-2650: the Wilson intervals of both proportions, squared and
    added, less what the correlation of the pairs saves (with its continuity correction).
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
    from scipy.stats import binomtest  # takes a second, which a command line that asks for no score need not wait

    return binomtest(successes, n)
