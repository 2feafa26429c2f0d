"""Ratings of answers by a language model: an opinion, from 0 (useless) to 1 (as good as the reference, or better)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune_flows.tasks.base.errors import EnvironmentProblem, TryLater
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.endpoints.answers import collect_answers
from finetune_flows.tasks.endpoints.asking import Access, Server, TestRow, address_of
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.problems.chat.fields import spelt, whole_conversation
from finetune_flows.tasks.problems.chat.settings import Judge
from finetune_flows.tasks.sections.stages import EvaluationSection

JUDGE_VERSION = 1
_RATING = re.compile(r'"rating"\s*:\s*"?(10|[1-9])(?!\d)')
_MOST_UNREADABLE = 0.1
_LONGEST_REPLY = 256  # tokens: some judges reason before they give the rating


def rate(judge: Judge, rows: Sequence[TestRow], answers: Mapping[str, str]) -> tuple[dict[str, float], int]:
    """The rating of each row's answer (0 to 1, by row id), and the number of replies without a rating.

    A row without an answer is rated 0 without asking; an answer whose reply has no rating is rated 0 too. Replies are
    stored, so an interrupted rating continues with the missing ones.

    Raises:
        TryLater: some answers were not rated; the next try sends only those.
        EndpointFailed: the judge answers no request.
        EnvironmentProblem: its key is not set on this machine, or more than one reply in ten has no rating.
    """
    asked = [_question(judge, row, answers[row.id]) for row in rows if answers.get(row.id, "").strip()]
    section = EvaluationSection(concurrency=judge.concurrency, max_new_tokens=_LONGEST_REPLY)
    access = Access(model=judge.model, key_variable=judge.key_variable)
    replies = collect_answers(Server(Http(address_of(judge.url)), access=access), asked, section, _kept(judge, asked))
    failed = [reply.error for reply in replies if reply.error]
    if failed:
        raise TryLater(f"the judge at {judge.url} did not rate {len(failed)} of {len(asked)} answers: {failed[0]}")
    found = {reply.id: _RATING.search(reply.text) for reply in replies}
    unreadable = [reply.text for reply in replies if found[reply.id] is None]
    if len(unreadable) > _MOST_UNREADABLE * len(asked):
        words = f'{len(unreadable)} of {len(asked)} replies of the judge contain no {{"rating": 1 to 10}}'
        example = f"for example {unreadable[0][:200]!r}"
        raise EnvironmentProblem(f"{words}, {example}. Choose another model or instruction in problem.judge")
    rated = {id_: (int(match[1]) - 1) / 9 for id_, match in found.items() if match}  # 1 to 10 becomes 0 to 1
    return {row.id: rated.get(row.id, 0.0) for row in rows}, len(unreadable)


def _question(judge: Judge, row: TestRow, answer: str) -> TestRow:
    *before, right = whole_conversation(row.fields)[0]
    said = "\n".join(f"[{message['role']}] {spelt(message)}" for message in before)
    shown = f"# Conversation\n{said}\n\n# Reference answer\n{spelt(right)}\n\n# Answer to rate\n{answer}"
    prompt = [{"role": "system", "content": judge.instruction}, {"role": "user", "content": shown}]
    return TestRow(id=row.id, prompt=prompt, fields={})


def _kept(judge: Judge, asked: Sequence[TestRow]) -> Path:
    """File of the stored replies, named by everything they depend on."""
    settings = {"model": judge.model, "url": judge.url, "prompts": [row.prompt for row in asked]}
    path = home() / "predictions" / f"judge-{step_key('judge', JUDGE_VERSION, settings)[:24]}" / "predictions.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
