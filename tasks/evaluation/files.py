"""The files of an evaluation: writing, reading and comparing them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, Field

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.files import write_json
from finetune_flows.tasks.base.statistics import Comparison, Estimate
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.evaluation.gate_scores import Measured, drawn_score
from finetune_flows.tasks.evaluation.scores import Scores, compare
from finetune_flows.tasks.problems.contract import Judged, Problem
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer, wrong_answers_page


class Scored(NamedTuple):
    """Answers, verdicts and scores of one evaluation, before they are written."""

    answers: list[Answer]
    judged: Judged
    scores: Scores


def write_evaluation(folder: Path, scored: Scored) -> None:
    """Writes answers, verdicts, wrong answers (as JSON and as a page) and scores."""
    answers, judged, scores = scored
    write_lines(folder / "predictions.jsonl", answers)
    write_lines(folder / "verdicts.jsonl", judged.verdicts)
    write_lines(folder / "wrong_answers.jsonl", judged.wrong)
    page = wrong_answers_page(judged.wrong, sum(verdict.evaluable for verdict in judged.verdicts))
    (folder / "wrong_answers.md").write_text(page, encoding="utf-8")
    write_json(folder / "scores.json", scores.model_dump(mode="json"))


def write_lines(path: Path, records: Sequence[BaseModel]) -> None:
    """A JSON object on each line."""
    path.write_text("".join(record.model_dump_json() + "\n" for record in records), encoding="utf-8")


def read_scores(evaluation: Reference) -> Scores:
    """The scores in an evaluation artefact."""
    return Scores.model_validate(json.loads((evaluation.path / "scores.json").read_text(encoding="utf-8")))


def read_verdicts(evaluation: Reference) -> list[Verdict]:
    """The verdict on each row."""
    with (evaluation.path / "verdicts.jsonl").open(encoding="utf-8") as lines:
        return [Verdict.model_validate_json(line) for line in lines]


def read_wrong_answers(evaluation: Reference) -> list[WrongAnswer]:
    """The wrong answers, with what a person needs to understand each."""
    with (evaluation.path / "wrong_answers.jsonl").open(encoding="utf-8") as lines:
        return [WrongAnswer.model_validate_json(line) for line in lines]


class Evaluation(Frozen):
    """The scores of all models of a decision, and their comparisons."""

    base: Scores
    tuned: Scores
    champion: Scores | None = Field(None, description="None if there was no other champion to compare with.")
    comparisons: dict[str, Comparison] = Field(
        description="Tuned model against base, by metric, on the rows where both were judged."
    )
    champion_comparisons: dict[str, Comparison] = Field(
        default_factory=dict, description="Tuned model against champion, by metric."
    )
    differences: dict[str, Estimate] = Field(
        default_factory=dict, description="Tuned model minus base, by score that is no share of rows; paired by row."
    )
    champion_differences: dict[str, Estimate] = Field(
        default_factory=dict, description="Tuned model minus champion, likewise."
    )


class Evaluations(Frozen):
    """The evaluations that belong to one decision, all on the same test rows."""

    base: Reference
    candidate: Reference
    champion: Reference | None = None

    def read(self, problem: Problem) -> Evaluation:
        """The scores, and the paired comparisons in every metric and every other score."""
        base, tuned = measured(self.base), measured(self.candidate)
        champion = measured(self.champion) if self.champion else None
        return Evaluation(
            base=base.scores,
            tuned=tuned.scores.model_copy(update={"who": "tuned model"}),
            # The champion may have been scored when it was the candidate, under that name.
            champion=champion.scores.model_copy(update={"who": "champion"}) if champion else None,
            comparisons=_comparisons(base, tuned),
            champion_comparisons=_comparisons(champion, tuned) if champion else {},
            differences=_differences(problem, base, tuned),
            champion_differences=_differences(problem, champion, tuned) if champion else {},
        )


def _comparisons(first: Measured, second: Measured) -> dict[str, Comparison]:
    metrics = [name for name in second.scores.metrics if name in first.scores.metrics]
    return {metric: compare(metric, first.verdicts, second.verdicts) for metric in metrics}


def _differences(problem: Problem, first: Measured, second: Measured) -> dict[str, Estimate]:
    """The paired differences in F1, ROUGE and the like, with their bootstrap intervals."""
    names = [name for name, score in second.scores.estimates.items() if score.n and name in first.scores.estimates]
    drawn = {name: drawn_score(problem, name, [first, second]) for name in names}
    return {name: Estimate.of(found.value, found.drawn, found.n) for name, found in drawn.items()}


def measured(evaluation: Reference) -> Measured:
    """The scores and verdicts of an evaluation, as the gate compares them."""
    return Measured(read_scores(evaluation), read_verdicts(evaluation))


def compare_evaluations(metric: str, base: Reference, candidate: Reference) -> Comparison:
    """The paired comparison of two evaluations, on the rows where both were judged."""
    return compare(metric, read_verdicts(base), read_verdicts(candidate))
