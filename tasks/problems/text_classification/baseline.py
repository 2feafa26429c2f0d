"""The baseline that a transformer must beat: logistic regression on TF-IDF of words and word pairs, by scikit-learn."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.text_classification.asking import Labelled, choose

SEED = 0


def linear_answers(train: Path, rows: Sequence[TestRow], multi_label: bool) -> Mapping[str, str]:
    """The labels of a linear model by row id, in the form of an endpoint's answer.

    The model is trained on the same training rows, all in memory. Nothing is tuned: C = 1, sublinear term frequency, words
    and pairs of words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    texts, labels = _read(train)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), _classifier(multi_label))
    names, targets = _targets(labels, multi_label)
    model.fit(texts, targets)
    probabilities = model.predict_proba([row.prompt[-1]["content"] for row in rows])
    return {row.id: _answer(names, line, multi_label) for row, line in zip(rows, probabilities.tolist(), strict=True)}


def _classifier(multi_label: bool) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    linear = LogisticRegression(max_iter=1000, random_state=SEED)
    return OneVsRestClassifier(linear) if multi_label else linear


def _targets(labels: list[list[str]], multi_label: bool) -> tuple[list[str], Any]:
    names = sorted({label for several in labels for label in several})
    if multi_label:
        return names, np.array([[name in several for name in names] for several in labels], dtype=int)
    return names, np.array([names.index(several[0]) for several in labels])


def _read(train: Path) -> tuple[list[str], list[list[str]]]:
    fields = pq.read_table(train, columns=["fields"]).column("fields").to_pylist()
    return [each["text"] for each in fields], [json.loads(each["labels"]) for each in fields]


def _answer(names: list[str], probabilities: list[float], multi_label: bool) -> str:
    scores = dict(zip(names, probabilities, strict=True))
    return Labelled(scores=scores, chosen=choose(scores, multi_label)).model_dump_json()
