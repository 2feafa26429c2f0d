"""Comparison of free answers with the reference answer of the row: exact match, ROUGE-L and chrF.

Overlap with one reference is a weak measure of free text: a good answer in other words scores low. It shows whether a
model has learnt the form and content of its training answers, not whether it is right.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from finetune_flows.tasks.base.statistics import Estimate
from finetune_flows.tasks.endpoints.answers import without_empty_thought
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.chat.fields import whole_conversation
from finetune_flows.tasks.problems.chat.settings import RATING
from finetune_flows.tasks.problems.chat.tools import Call, calls_in, written
from finetune_flows.tasks.problems.chat.words import Words
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer


def judge_overlap(
    rows: Sequence[TestRow], answers: Mapping[str, str], on_progress: Callable[[int], None] | None = None
) -> Judged:
    """`exact_match` of each row, and the means of ROUGE-L (F1, rouge-score) and chrF (sacrebleu), both from 0 to 1.

    Where the row's answer calls tools, or the model does, the calls are compared: their names and arguments, in any order.
    The means are over rows, with a 95 % bootstrap interval. A row without an answer scores 0.
    """
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu import sentence_chrf

    rouge = RougeScorer(["rougeL"], tokenizer=Words())
    judged, overlaps = Judged(), []
    for row in rows:
        pair = _pair(row, answers.get(row.id, "").strip())
        rouge_l = float(rouge.score(pair.gold, pair.text)["rougeL"].fmeasure)
        chrf = float(sentence_chrf(pair.text, [pair.gold]).score) / 100
        overlaps.append((rouge_l, chrf))
        judged.verdicts.append(_verdict(row, pair, rouge_l, chrf))
        if not pair.same:
            judged.wrong.append(_wrong(row, pair, judged.verdicts[-1]))
        if on_progress:
            on_progress(len(judged.verdicts))
    values = np.array(overlaps).reshape(-1, 2)
    judged.estimates = {name: Estimate.mean(values[:, place]) for place, name in enumerate(("rouge_l", "chrf"))}
    return judged


class _Pair(NamedTuple):
    """The right answer and the model's, each as the text to compare, and the calls in them."""

    gold: str
    text: str
    right: list[Call]
    made: list[Call]

    @property
    def same(self) -> bool:
        return self.gold == self.text


def _pair(row: TestRow, text: str) -> _Pair:
    messages, tools = whole_conversation(row.fields)
    gold, right = without_empty_thought(str(row.fields["answer"])).strip(), messages[-1].get("tool_calls", [])
    # Without tools to call, JSON in an answer is text.
    made = calls_in(text) if right or tools else []
    if right or made:
        # Words next to a call are left out: templates and servers treat them differently.
        return _Pair(written(right) if right else gold, written(made) if made else text, right, made)
    return _Pair(gold, text, right, made)


def add_ratings(judged: Judged, ratings: Mapping[str, float], unreadable: int) -> None:
    """Adds a judge's ratings (0 to 1, by row id) and their mean. `unreadable`: number of replies without a rating."""
    judged.verdicts = [
        verdict.model_copy(update={"values": verdict.values | {RATING: ratings[verdict.id]}})
        for verdict in judged.verdicts
    ]
    judged.estimates[RATING] = Estimate.mean(np.array([ratings[verdict.id] for verdict in judged.verdicts]))
    judged.details["unreadable_ratings"] = unreadable


def _verdict(row: TestRow, pair: _Pair, rouge_l: float, chrf: float) -> Verdict:
    slices = {"slice": row.slice} if row.slice is not None else {}
    if whole_conversation(row.fields)[1]:
        slices["answer"] = "tool call" if pair.right else "text"
    return Verdict(
        id=row.id,
        slices=slices,
        outcomes={"exact_match": pair.same},
        values={"rouge_l": rouge_l, "chrf": chrf},
        kind="right" if pair.same else _kind(pair, rouge_l),
        extracted=pair.text,
    )


def _kind(pair: _Pair, rouge_l: float) -> str:
    if not pair.text:
        return "no answer"
    if pair.right or pair.made:
        names = [sorted(call["function"]["name"] for call in calls) for calls in (pair.right, pair.made)]
        if not pair.made:
            return "no tool call"
        if not pair.right:
            return "needless tool call"
        return "other arguments" if names[0] == names[1] else "other tools"
    return "near" if rouge_l >= 0.7 else "partly the same" if rouge_l >= 0.3 else "other words"


def _wrong(row: TestRow, pair: _Pair, verdict: Verdict) -> WrongAnswer:
    asked = row.prompt[-1]["content"]
    return WrongAnswer(
        id=row.id, question=asked, gold=pair.gold, answer=pair.text, prediction=pair.text, kind=verdict.kind
    )
