"""What an evaluation leaves in its folder, and how it is read and compared again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, Field

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.files import write_json
from finetune_flows.tasks.base.statistics import Comparison
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.evaluation.gate_scores import Measured
from finetune_flows.tasks.evaluation.scores import Scores, compare
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer, wrong_answers_page


class Scored(NamedTuple):
    """What one evaluation found, before it is written down."""

    answers: list[Answer]
    judged: Judged
    scores: Scores


def write_evaluation(folder: Path, scored: Scored) -> None:
    """Answers, verdicts, the table of wrong answers and the scores."""
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
    """What a person wants to see of each wrong answer."""
    with (evaluation.path / "wrong_answers.jsonl").open(encoding="utf-8") as lines:
        return [WrongAnswer.model_validate_json(line) for line in lines]


class Evaluation(Frozen):
    """All that was measured of the models, in one document."""

    base: Scores
    tuned: Scores
    champion: Scores | None = Field(None, description="None when there was no other champion to compare with.")
    comparisons: dict[str, Comparison] = Field(
        description="Tuned model beside base, by metric, on the rows that both were judged on."
    )
    champion_comparisons: dict[str, Comparison] = Field(
        default_factory=dict, description="Tuned model beside champion, likewise."
    )


def read_evaluation(base: Reference, candidate: Reference, champion: Reference | None = None) -> Evaluation:
    """The scores, and the paired comparisons in every metric."""
    first, tuned = measured(base), measured(candidate)
    before = measured(champion) if champion else None
    return Evaluation(
        base=first.scores,
        tuned=tuned.scores.model_copy(update={"who": "tuned model"}),
        # Its answers may be those that it gave as a candidate.
        champion=before.scores.model_copy(update={"who": "champion"}) if before else None,
        comparisons=_comparisons(first, tuned),
        champion_comparisons=_comparisons(before, tuned) if before else {},
    )


def _comparisons(first: Measured, second: Measured) -> dict[str, Comparison]:
    metrics = [name for name in second.scores.metrics if name in first.scores.metrics]
    return {metric: compare(metric, first.verdicts, second.verdicts) for metric in metrics}


def measured(evaluation: Reference) -> Measured:
    """What the gate looks at."""
    return Measured(read_scores(evaluation), read_verdicts(evaluation))


def compare_evaluations(metric: str, base: Reference, candidate: Reference) -> Comparison:
    """The paired comparison on the rows that both were judged on."""
    return compare(metric, read_verdicts(base), read_verdicts(candidate))
