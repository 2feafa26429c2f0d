"""The facts for the reports of one run, read from its artefacts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.statistics import Comparison, Estimate
from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.endpoints.answers import Answer, read_test_rows
from finetune_flows.tasks.evaluation.files import read_verdicts
from finetune_flows.tasks.evaluation.scores import Scores
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.recipe import Recipe

SPLITS = ("train", "validation", "test")


class BestAnswer(NamedTuple):
    """An answer of the tuned model that is right, or nearly."""

    question: str
    gold: str
    answer: str
    right: bool


@dataclass(frozen=True)
class RunFacts:
    """One finished run. Times are UTC; `seconds` is the wall-clock time of the whole run."""

    recipe: Recipe
    run: str
    started: datetime
    seconds: float
    decision: str
    reasons: Sequence[str]
    base_model: Reference
    dataset: Reference
    model: Reference
    base_evaluation: Reference
    evaluation: Reference
    base: Scores
    tuned: Scores
    comparisons: Mapping[str, Comparison]
    champion: Scores | None = None
    champion_comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    differences: Mapping[str, Estimate] = field(default_factory=dict)
    champion_differences: Mapping[str, Estimate] = field(default_factory=dict)
    endpoint: Endpoint | None = None
    address: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def promoted(self) -> bool:
        """Whether the model serves now."""
        return self.decision == "passed"

    @property
    def artefacts(self) -> tuple[Reference, ...]:
        """The artefacts that the run made or reused, in order of creation."""
        return self.base_model, self.dataset, self.base_evaluation, self.model, self.evaluation

    def audit(self) -> DatasetAudit:
        """The audit of the rows."""
        return DatasetAudit.model_validate_json((self.dataset.path / "audit.json").read_text(encoding="utf-8"))

    def training(self) -> dict[str, Any]:
        """Everything that the training program measured (training.json)."""
        return training_of(self.model)

    def wrong_answers(self, most: int) -> list[dict[str, Any]]:
        """The first `most` wrong answers of the tuned model. Their fields depend on the problem."""
        with (self.evaluation.path / "wrong_answers.jsonl").open(encoding="utf-8") as lines:
            return [json.loads(line) for line, _ in zip(lines, range(most), strict=False)]

    def best_answers(self, most: int) -> list[BestAnswer]:
        """The first `most` right answers of the tuned model and, by the headline score, those that come nearest."""
        problem, metric = self.recipe.problem, self.recipe.metric

        def merit(verdict: Verdict) -> tuple[bool, float]:
            return bool(verdict.outcomes.get(metric)), verdict.values.get(problem.headline or "", 0.0)

        known = {row.id: row for row in read_test_rows(self.dataset.path / "test.parquet", self.tuned.n)}
        best = sorted(read_verdicts(self.evaluation), key=merit, reverse=True)[:most]
        return [
            BestAnswer(
                question=known[verdict.id].prompt[-1]["content"],
                gold=", ".join(said["content"] for said in problem.messages(known[verdict.id].fields)[1]),
                answer=verdict.extracted or "",
                right=merit(verdict)[0],
            )
            for verdict in best
            if merit(verdict) > (False, 0.0)
        ]

    def latencies(self) -> dict[str, list[float]]:
        """Seconds from request to answer, by model, for models that were asked by an endpoint."""
        evaluations = {self.base_evaluation.uri: self.base, self.evaluation.uri: self.tuned}
        return {scores.who: _latencies(Path(uri)) for uri, scores in evaluations.items() if scores.latency}

    def token_lengths(self) -> list[int]:
        """Tokens of prompt and answer together, for every used row."""
        found: list[int] = []
        for split in SPLITS:
            path = self.dataset.path / f"{split}.parquet"
            found += [tokens for tokens in pq.read_table(path, columns=["tokens"])["tokens"].to_pylist() if tokens]
        return found


def training_of(model: Reference) -> dict[str, Any]:
    """Everything that the training program measured (training.json)."""
    measured: dict[str, Any] = json.loads((model.path / "training.json").read_text(encoding="utf-8"))
    return measured


def _latencies(evaluation: Path) -> list[float]:
    with (evaluation / "predictions.jsonl").open(encoding="utf-8") as lines:
        answers = [Answer.model_validate_json(line) for line in lines]
    return [answer.latency_seconds for answer in answers if answer.error is None]


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95 % and 99 %, in the unit of the values; empty for no values."""
    if not seconds:
        return {}
    return {f"p{q}": float(np.quantile(seconds, q / 100)) for q in (50, 95, 99)}
