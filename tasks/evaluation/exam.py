"""The exam: a recipe asks a model the test rows of a data set and judges the answers. It knows the keys of both."""

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import TryLater
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.endpoints.answers import (
    Answer,
    collect_answers,
    digest_of_test,
    kept_answers,
    read_test_rows,
    without_empty_thought,
)
from finetune_flows.tasks.endpoints.asking import OURS, Access, Server, TestRow
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.evaluation.files import Scored, write_lines
from finetune_flows.tasks.evaluation.scores import About, summarise
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.recipe import Recipe

ANSWERS_VERSION = 2
SCORES_VERSION = 6

Progress = Callable[[int, int], None]
"""Called with the number of answered questions of a round, and the number of all."""


class _NotKept(Exception):
    """Some question has no stored answer yet."""


@dataclass(frozen=True)
class Exam(ABC):
    """An exam of a model or an endpoint. Its answers are stored in a folder named by everything they depend on."""

    recipe: Recipe
    dataset: Reference
    access: Access = field(default=OURS, kw_only=True)

    @property
    @abstractmethod
    def answers_key(self) -> str:
        """What the answers depend on."""

    @property
    @abstractmethod
    def model_digest(self) -> str:
        """Digest of the model that answers, or the URL of an endpoint that is not ours."""

    @property
    def problem(self) -> Problem:
        """Defines how rows are asked and judged."""
        return self.recipe.problem

    @cached_property
    def rows(self) -> list[TestRow]:
        """The first `evaluation.rows` test rows, or all if there are fewer."""
        return read_test_rows(self.dataset.path / "test.parquet", self.recipe.evaluation.rows)

    @cached_property
    def questions(self) -> Sequence[TestRow]:
        """The rows with the prompts that the endpoint gets."""
        return self.problem.asked(self.rows, self.dataset.path)

    @property
    def predictions(self) -> Path:
        """The file of the answers, one JSON object on each line. Answers of later rounds are in the same folder."""
        return home() / "predictions" / self.answers_key[:24] / "predictions.jsonl"

    def kept(self) -> list[Answer] | None:
        """The stored answers; None if some question must still be asked, which needs an endpoint."""

        def look(rows: Sequence[TestRow], file: Path) -> list[Answer]:
            answers = kept_answers(rows, file)
            if answers is None:
                raise _NotKept
            return answers

        try:
            return self._rounds(look)
        except _NotKept:
            return None

    def ask(self, connection: Connection, on_progress: Progress) -> list[Answer]:
        """The answer to every row; the last one, if the problem asks again. Stored answers are reused.

        Raises:
            EnvironmentProblem: something that judging needs is missing. No question was asked.
            TryLater: some rows got no answer. The next try asks only those.
        """
        server = Server(connection, self.problem.form, self.access)

        def ask(rows: Sequence[TestRow], file: Path) -> list[Answer]:
            file.parent.mkdir(parents=True, exist_ok=True)
            answers = collect_answers(server, rows, self.recipe.evaluation, file, on_progress)
            failed = [answer for answer in answers if answer.error]
            if failed:
                raise TryLater(
                    f"{len(failed)} of {len(rows)} questions to {connection.url} got no answer: {failed[0].error}"
                )
            return answers

        return self._rounds(ask)

    def _rounds(self, ask: Callable[[Sequence[TestRow], Path], list[Answer]]) -> list[Answer]:
        """The last answer to each row. Each round has a file of its own."""
        self.problem.check(self.rows)  # first: answers that cannot be judged would be paid for in vain
        rows, file = self.questions, self.predictions
        answers: dict[str, Answer] = {}
        for number in itertools.count(1):
            answers |= {answer.id: answer for answer in ask(rows, file)}
            rows = self.problem.asked_again(self.questions, _texts(answers.values()), number)
            if not rows:
                break
            file = self.predictions.with_name(f"round-{number}.jsonl")
        return list(answers.values())

    def score(self, answers: Sequence[Answer], who: str, timed: bool = True) -> Scored:
        """Judges the answers and sums them up. `who`: name of what answered. `timed`: latencies were measured."""
        judged = self.problem.judge_answers(self.rows, _texts(answers), self.dataset.path)
        about = About(
            dataset_digest=self.dataset.digest,
            model_digest=self.model_digest,
            who=who,
            timed=timed,
            max_new_tokens=self.recipe.evaluation.max_new_tokens,
            judge=self.problem.judge_settings(),
        )
        return Scored(list(answers), judged, summarise(judged, answers, about))


@dataclass(frozen=True)
class ModelExam(Exam):
    """The exam of a model of ours."""

    model: Reference

    @property
    def model_digest(self) -> str:
        """Digest of the weights."""
        return self.model.digest

    @cached_property
    def answers_key(self) -> str:
        """What the answers depend on. The number of rows is left out: more rows only add answers."""
        settings = {
            "max_new_tokens": self.recipe.evaluation.max_new_tokens,
            "engine": self.recipe.serving.engine,
            "dtype": self.recipe.serving.dtype,
            "max_model_length": self.recipe.serving.max_model_length,
            **self.problem.answer_settings,
        }
        # Only the test rows of the data set: after retraining on more rows, the same test is not asked again.
        test = self.dataset.path / "test.parquet"
        rows = self.dataset.digest if self.problem.shows_training_rows else digest_of_test(test)
        return step_key("answers", ANSWERS_VERSION, settings, [self.model.digest, rows])

    @cached_property
    def scores_key(self) -> str:
        """What the scores depend on. The gate's metric and the concurrency of the questions do not change them."""
        settings = self.recipe.evaluation.model_dump(mode="json", exclude={"metric", "concurrency", "timeout_seconds"})
        settings["problem"] = self.problem.model_dump(mode="json", exclude=self.problem.unset_later())
        # The whole data set: scores are also split by whether a row's schema occurs in the training rows.
        return step_key("evaluate", SCORES_VERSION, settings, [self.answers_key, self.dataset.digest])

    def base_answers(self) -> list[Answer] | None:
        """The answers of the problem's baseline, stored like an endpoint's; None: ask the base model instead."""
        found = self.problem.base_answers(self.rows, self.dataset.path)
        if found is None:
            return None
        answers = [Answer(id=id_, text=text, asked_at=time.time(), latency_seconds=0) for id_, text in found.items()]
        self.predictions.parent.mkdir(parents=True, exist_ok=True)
        write_lines(self.predictions, answers)
        return answers


@dataclass(frozen=True)
class EndpointExam(Exam):
    """The exam of an endpoint at a URL. `model`: digest of its model, or the URL if the endpoint is not ours."""

    url: str
    model: str

    @property
    def model_digest(self) -> str:
        """Digest of the model, or the URL of an endpoint that is not ours."""
        return self.model

    @cached_property
    def answers_key(self) -> str:
        """Names the answers of one run, so that it can continue after an interruption."""
        asked = {"url": self.url, "model": self.model} | ({"named": self.access.model} if self.access.model else {})
        return step_key("foreign-answers", ANSWERS_VERSION, asked, [self.dataset.digest])


def _texts(answers: Iterable[Answer]) -> dict[str, str]:
    return {answer.id: without_empty_thought(answer.text) for answer in answers}
