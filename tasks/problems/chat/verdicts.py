"""Comparison of free answers with the reference answer of the row: exact match, ROUGE-L and chrF.

Overlap with one reference is a weak measure of free text: a good answer in other words scores low. It shows whether a
model has learnt the form and content of its training answers, not whether it is right.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from finetune_flows.tasks.base.statistics import Estimate
from finetune_flows.tasks.endpoints.answers import without_empty_thought
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.chat.settings import RATING
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer


def judge_overlap(
    rows: Sequence[TestRow], answers: Mapping[str, str], on_progress: Callable[[int], None] | None = None
) -> Judged:
    """`exact_match` of each row, and the means of ROUGE-L (F1, rouge-score) and chrF (sacrebleu), both from 0 to 1.

    The means are over rows, with a 95 % bootstrap interval. A row without an answer scores 0.
    """
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu import sentence_chrf

    rouge = RougeScorer(["rougeL"])
    judged, overlaps = Judged(), []
    for row in rows:
        gold, text = _gold(row), answers.get(row.id, "").strip()
        rouge_l = float(rouge.score(gold, text)["rougeL"].fmeasure)
        chrf = float(sentence_chrf(text, [gold]).score) / 100
        overlaps.append((rouge_l, chrf))
        judged.verdicts.append(_verdict(row, text, rouge_l, chrf))
        if text != gold:
            judged.wrong.append(_wrong(row, text, judged.verdicts[-1]))
        if on_progress:
            on_progress(len(judged.verdicts))
    values = np.array(overlaps).reshape(-1, 2)
    judged.estimates = {name: Estimate.mean(values[:, place]) for place, name in enumerate(("rouge_l", "chrf"))}
    return judged


def add_ratings(judged: Judged, ratings: Mapping[str, float], unreadable: int) -> None:
    """Adds a judge's ratings (0 to 1, by row id) and their mean. `unreadable`: number of replies without a rating."""
    judged.verdicts = [
        verdict.model_copy(update={"values": verdict.values | {RATING: ratings[verdict.id]}})
        for verdict in judged.verdicts
    ]
    judged.estimates[RATING] = Estimate.mean(np.array([ratings[verdict.id] for verdict in judged.verdicts]))
    judged.details["unreadable_ratings"] = unreadable


def _verdict(row: TestRow, text: str, rouge_l: float, chrf: float) -> Verdict:
    exact = text == _gold(row)
    return Verdict(
        id=row.id,
        slices={"slice": row.slice} if row.slice is not None else {},
        outcomes={"exact_match": exact},
        values={"rouge_l": rouge_l, "chrf": chrf},
        kind="right" if exact else _kind(text, rouge_l),
        extracted=text,
    )


def _gold(row: TestRow) -> str:
    return without_empty_thought(row.fields["answer"]).strip()


def _kind(text: str, rouge_l: float) -> str:
    if not text:
        return "no answer"
    return "near" if rouge_l >= 0.7 else "partly the same" if rouge_l >= 0.3 else "other words"


def _wrong(row: TestRow, text: str, verdict: Verdict) -> WrongAnswer:
    asked = row.prompt[-1]["content"]
    return WrongAnswer(
        id=row.id, question=asked, gold=row.fields["answer"], answer=text, prediction=text, kind=verdict.kind
    )
