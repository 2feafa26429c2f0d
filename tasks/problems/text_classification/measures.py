"""Scores of a classifier over a set of rows, each with a 95 % interval.

Shares of rows (accuracy, and precision and recall of one label) have Wilson's interval. F1 and all averages are not
shares of rows; their interval is a bootstrap over rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_flows.tasks.base.statistics import Estimate, Proportion, Statistic, resample

PARTS = ("precision", "recall", "f1")
AVERAGES = ("macro", "micro", "weighted")
Matrix = NDArray[np.bool_]
Several = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives of each label: [..., labels]."""

    hits: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    misses: NDArray[np.float64]

    def precision(self) -> NDArray[np.float64]:
        """TP / (TP + FP); 0 if the label was never chosen."""
        return _ratio(self.hits, self.hits + self.false_alarms)

    def recall(self) -> NDArray[np.float64]:
        """TP / (TP + FN); 0 if no row has the label."""
        return _ratio(self.hits, self.hits + self.misses)

    def f1(self) -> NDArray[np.float64]:
        """2 TP / (2 TP + FP + FN); 0 if the label was never chosen and no row has it."""
        return _ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)

    def averaged(self, average: str) -> NDArray[np.float64]:
        """Precision, recall and F1 by one of AVERAGES, defined as in scikit-learn: [3, ...]."""
        if average == "micro":
            summed = Counts(*(each.sum(axis=-1, keepdims=True) for each in (self.hits, self.false_alarms, self.misses)))
            return np.stack([summed.precision()[..., 0], summed.recall()[..., 0], summed.f1()[..., 0]])
        each = np.stack([self.precision(), self.recall(), self.f1()])
        if average == "macro":
            mean: NDArray[np.float64] = each.mean(axis=-1)
            return mean
        support = self.hits + self.misses
        return _ratio((each * support).sum(axis=-1), support.sum(axis=-1))


def label_matrix(labels: Sequence[str], several: Several) -> Matrix:
    """[rows, labels]: which of the labels each row has."""
    return np.array([[label in each for label in labels] for each in several], dtype=bool).reshape(-1, len(labels))


def count(right: Matrix, chosen: Matrix, weights: NDArray[Any] | None = None) -> Counts:
    """Counts from right and chosen labels, both [rows, labels]. `weights` [draws, rows]: how often a row was drawn."""
    parts = (right & chosen, ~right & chosen, right & ~chosen)
    if weights is None:
        return Counts(*(part.sum(axis=0).astype(float) for part in parts))
    return Counts(*(weights @ part.astype(float) for part in parts))


def averages(right: Matrix, chosen: Matrix) -> dict[str, Estimate]:
    """macro_precision, macro_recall, macro_f1, and the same for micro and weighted."""
    n = len(right)

    def all_of(counts: Counts) -> NDArray[np.float64]:
        return np.concatenate([counts.averaged(average) for average in AVERAGES])

    values = all_of(count(right, chosen))
    drawn = resample(lambda weights: all_of(count(right, chosen, weights)), np.arange(n))
    names = [f"{average}_{part}" for average in AVERAGES for part in PARTS]
    return {name: Estimate.of(value, draws, n) for name, value, draws in zip(names, values, drawn, strict=True)}


def averaged(name: str, labels: Sequence[str], right: Several, chosen: Several) -> Statistic:
    """One of `averages` as a function of how often each row was drawn."""
    average, _, part = name.partition("_")
    matrices = label_matrix(labels, right), label_matrix(labels, chosen)
    return lambda weights: np.asarray(count(*matrices, weights).averaged(average)[PARTS.index(part)])


def by_label(labels: list[str], right: Matrix, chosen: Matrix) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and support of each label."""
    whole = count(right, chosen)
    drawn = resample(lambda weights: count(right, chosen, weights).f1().T, np.arange(len(right)))
    table = {}
    for place, label in enumerate(labels):
        hits, alarms, misses = (int(part[place]) for part in (whole.hits, whole.false_alarms, whole.misses))
        table[label] = {
            "precision": Proportion.of(hits, hits + alarms).model_dump(),
            "recall": Proportion.of(hits, hits + misses).model_dump(),
            "f1": Estimate.of(whole.f1()[place], drawn[place], len(right)).model_dump(),
            "support": hits + misses,
        }
    return table


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int) -> dict[str, Any]:
    """Expected calibration error: mean distance between confidence and accuracy over equal bins, weighted by rows.

    Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = np.bincount(places, minlength=bins)
    said = _ratio(np.bincount(places, weights=confidence, minlength=bins), rows)
    true = _ratio(np.bincount(places, weights=right.astype(float), minlength=bins), rows)
    steps = [
        {
            "from": place / bins,
            "rows": int(rows[place]),
            "confidence": float(said[place]),
            "accuracy": float(true[place]),
        }
        for place in range(bins)
        if rows[place]
    ]
    return {"ece": float((np.abs(said - true) * rows).sum() / max(len(confidence), 1)), "bins": steps}


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """part / whole; 0 where whole is 0."""
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)
    return ratio
