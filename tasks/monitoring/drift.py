"""Drift: how much captured prompts differ from the training rows, in length and in words.

Length: the two-sample Kolmogorov-Smirnov test. Words: a classifier two-sample test (Lopez-Paz and Oquab, 2017). A linear
model separates the two, judged by cross-validation; its area under the ROC curve is tested by Mann-Whitney's U.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from finetune_flows.tasks.base.values import Frozen

FOLDS = 5
SEED = 20
SURE = 0.01
"""A difference with a larger p-value counts as chance."""


class Drift(Frozen):
    """The difference between captured prompts and training rows."""

    prompts: int = Field(description="Number of distinct captured prompts.")
    length: float = Field(description="Kolmogorov-Smirnov distance of the lengths in characters, 0 to 1.")
    length_p: float
    vocabulary: float | None = Field(None, description="Area under the ROC curve; None with too few prompts.")
    vocabulary_p: float | None = None
    words: list[str] = Field([], description="The words that distinguish captured prompts most.")


def drift_of(asked: Sequence[str], known: Sequence[str]) -> Drift | None:
    """Compares captured prompts with training rows; None if either is empty. Each distinct text counts once."""
    from scipy.stats import ks_2samp

    asked, known = list(dict.fromkeys(asked)), list(dict.fromkeys(known))
    if not asked or not known:
        return None
    length = ks_2samp([len(text) for text in asked], [len(text) for text in known])
    found = Drift(prompts=len(asked), length=float(length.statistic), length_p=float(length.pvalue))
    # Each fold needs at least two texts of either kind.
    if min(len(asked), len(known)) < 2 * FOLDS:
        return found
    return found.model_copy(update=_vocabulary(asked, known))


def _vocabulary(asked: Sequence[str], known: Sequence[str]) -> dict[str, object]:
    from scipy.stats import mannwhitneyu
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    texts, captured = [*asked, *known], np.repeat([1, 0], [len(asked), len(known)])
    linear = LogisticRegression(class_weight="balanced", max_iter=1000)
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+"), linear)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    scores = cross_val_predict(model, texts, captured, cv=folds, method="decision_function")
    test = mannwhitneyu(scores[captured == 1], scores[captured == 0], alternative="greater")
    model.fit(texts, captured)
    words = model[0].get_feature_names_out()[np.argsort(-model[1].coef_[0])[:8]]
    area = test.statistic / (len(asked) * len(known))
    return {"vocabulary": float(area), "vocabulary_p": float(test.pvalue), "words": [str(word) for word in words]}
