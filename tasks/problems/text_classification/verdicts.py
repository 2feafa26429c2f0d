"""Comparison of chosen with right labels: a verdict on every row, and scores over all rows."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetune_flows.tasks.base.statistics import Proportion
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.text_classification.asking import Labelled, read_labelled
from finetune_flows.tasks.problems.text_classification.measures import (
    Matrix,
    averages,
    by_label,
    calibration,
    label_matrix,
)
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer


@dataclass(frozen=True)
class LabelJudge:
    """Judges answers by the labels that the model was trained with."""

    labels: list[str]
    multi_label: bool = False
    calibration_bins: int = 10

    def judge(self, rows: Sequence[TestRow], answers: Mapping[str, str]) -> Judged:
        """A row is right if exactly its labels were chosen. `answers`: Labelled as JSON, by row id; a missing one is wrong."""
        gold = [json.loads(row.fields["labels"]) for row in rows]
        said = [read_labelled(answers.get(row.id, "")) for row in rows]
        verdicts = [_verdict(row, right, answer) for row, right, answer in zip(rows, gold, said, strict=True)]
        wrong = [
            _wrong(row, right, answer, verdict)
            for row, right, answer, verdict in zip(rows, gold, said, verdicts, strict=True)
            if not verdict.outcomes["accuracy"]
        ]
        right, chosen = (label_matrix(self.labels, each) for each in (gold, [answer.chosen for answer in said]))
        return Judged(verdicts, wrong, averages(right, chosen), self._details(gold, said, right, chosen))

    def _details(self, gold: list[list[str]], said: list[Labelled], right: Matrix, chosen: Matrix) -> dict[str, Any]:
        most, rows = Counter(map(tuple, gold)).most_common(1)[0]
        found: dict[str, Any] = {
            "labels": self.labels,
            "by_label": by_label(self.labels, right, chosen),
            "calibration": self._calibration(said, right),
            "majority": {"label": _words(list(most)), "accuracy": Proportion.of(rows, len(gold)).model_dump()},
        }
        if not self.multi_label:
            # Rows: right label; columns: chosen label. An answer with an unknown label is left out.
            found["confusion"] = (right.T.astype(int) @ chosen.astype(int)).tolist()
        return found

    def _calibration(self, said: list[Labelled], right: Matrix) -> dict[str, Any]:
        scores = np.array([[answer.scores.get(label, 0.0) for label in self.labels] for answer in said])
        if self.multi_label:  # each label of each row is a prediction of its own
            return calibration(scores.ravel(), right.ravel(), self.calibration_bins)
        top = scores.argmax(axis=1)
        places = np.arange(len(said))
        return calibration(scores[places, top], right[places, top], self.calibration_bins)


def _verdict(row: TestRow, right: list[str], answer: Labelled) -> Verdict:
    good = sorted(answer.chosen) == right
    slices = {"label": _words(right)} | ({"slice": row.slice} if row.slice is not None else {})
    return Verdict(
        id=row.id,
        slices=slices,
        outcomes={"accuracy": good},
        labels={"right": right, "chosen": answer.chosen},
        kind="right" if good else f"{_words(right)} taken for {_words(answer.chosen)}",
        extracted=_words(answer.chosen),
    )


def _wrong(row: TestRow, right: list[str], answer: Labelled, verdict: Verdict) -> WrongAnswer:
    scores = sorted(answer.scores.items(), key=lambda each: -each[1])[:5]
    return WrongAnswer(
        id=row.id,
        question=row.fields["text"],
        gold=_words(right),
        answer=", ".join(f"{label} {score:.3f}" for label, score in scores),
        prediction=_words(answer.chosen),
        kind=verdict.kind,
    )


def _words(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "none"
