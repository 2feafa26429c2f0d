"""The exam: the test rows of a data set, asked of a model and judged by a recipe. It knows what its answers are kept by."""

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
from finetune_flows.tasks.endpoints.answers import Answer, collect_answers, digest_of_test, kept_answers, read_test_rows
from finetune_flows.tasks.endpoints.asking import OURS, Access, Server, TestRow
from finetune_flows.tasks.evaluation.files import Scored, write_lines
from finetune_flows.tasks.evaluation.scores import About, summarise
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.recipe import Recipe

ANSWERS_VERSION = 2
SCORES_VERSION = 5

Progress = Callable[[int, int], None]
"""Called with how many questions of a round are answered, and of how many."""


class _NotKept(Exception):
    """Some question has to be asked yet."""


@dataclass(frozen=True)
class Exam(ABC):
    """One exam of whatever answers. Its answers are kept in a folder that is named by all that they depend on."""

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
        """Of the model that answers, or what else is known of it."""

    @property
    def problem(self) -> Problem:
        """How rows are asked and judged."""
        return self.recipe.problem

    @cached_property
    def rows(self) -> list[TestRow]:
        """The test rows that the recipe wants asked."""
        return read_test_rows(self.dataset.path / "test.parquet", self.recipe.evaluation.rows)

    @cached_property
    def questions(self) -> Sequence[TestRow]:
        """The rows as an endpoint is asked them."""
        return self.problem.asked(self.rows, self.dataset.path)

    @property
    def predictions(self) -> Path:
        """The file of the answers, a JSON object on each line. Those of later rounds lie in its folder too."""
        return home() / "predictions" / self.answers_key[:24] / "predictions.jsonl"

    def kept(self) -> list[Answer] | None:
        """The answers that are kept; None when some question has to be asked yet, for which an endpoint is needed."""

        def look(rows: Sequence[TestRow], file: Path) -> list[Answer]:
            answers = kept_answers(rows, file)
            if answers is None:
                raise _NotKept
            return answers

        try:
            return self._rounds(look)
        except _NotKept:
            return None

    def ask(self, url: str, on_progress: Progress) -> list[Answer]:
        """Every row's answer; where the problem asks again, the last one. What is kept is not asked for again.

        Raises:
            EnvironmentProblem: judging lacks something, so that nobody is asked.
            TryLater: some rows got no answer. The next try asks only those.
        """
        server = Server(url, self.problem.form, self.access)

        def ask(rows: Sequence[TestRow], file: Path) -> list[Answer]:
            file.parent.mkdir(parents=True, exist_ok=True)
            answers = collect_answers(server, rows, self.recipe.evaluation, file, on_progress)
            failed = [answer for answer in answers if answer.error]
            if failed:
                raise TryLater(f"{len(failed)} of {len(rows)} questions to {url} got no answer: {failed[0].error}")
            return answers

        return self._rounds(ask)

    def _rounds(self, ask: Callable[[Sequence[TestRow], Path], list[Answer]]) -> list[Answer]:
        """The last answer to each row. Each round has a file of its own."""
        self.problem.check(self.rows)
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
        """The answers judged and added up. `who` gave them, in words; `timed`: an endpoint was asked, so it took its time."""
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
        """Of the weights."""
        return self.model.digest

    @cached_property
    def answers_key(self) -> str:
        """What the answers depend on: of the data set only its test, so that a model is not asked the same test twice.

        How many rows are asked is not part of it: more rows only add answers.
        """
        settings = {
            "max_new_tokens": self.recipe.evaluation.max_new_tokens,
            "engine": self.recipe.serving.engine,
            "dtype": self.recipe.serving.dtype,
            "max_model_length": self.recipe.serving.max_model_length,
            **self.problem.answer_settings,
        }
        test = self.dataset.path / "test.parquet"
        rows = self.dataset.digest if self.problem.shows_training_rows else digest_of_test(test)
        return step_key("answers", ANSWERS_VERSION, settings, [self.model.digest, rows])

    @cached_property
    def scores_key(self) -> str:
        """Which score the gate looks at, and how fast the questions are asked, does not change the scores."""
        settings = self.recipe.evaluation.model_dump(mode="json", exclude={"metric", "concurrency", "timeout_seconds"})
        settings["problem"] = self.problem.model_dump(mode="json")
        # The whole data set: scores also say how much of a row's schema the training rows have.
        return step_key("evaluate", SCORES_VERSION, settings, [self.answers_key, self.dataset.digest])

    def base_answers(self) -> list[Answer] | None:
        """What stands in for the base model says, written down like an endpoint's answers; None: the base model is asked."""
        found = self.problem.base_answers(self.rows, self.dataset.path)
        if found is None:
            return None
        answers = [Answer(id=id_, text=text, asked_at=time.time(), latency_seconds=0) for id_, text in found.items()]
        self.predictions.parent.mkdir(parents=True, exist_ok=True)
        write_lines(self.predictions, answers)
        return answers


@dataclass(frozen=True)
class EndpointExam(Exam):
    """The exam of whatever is behind a URL. `model`: what is known of it."""

    url: str
    model: str

    @property
    def model_digest(self) -> str:
        """What is known of the model."""
        return self.model

    @cached_property
    def answers_key(self) -> str:
        """For one run that may have to carry on: tomorrow another model may be there."""
        asked = {"url": self.url, "model": self.model} | ({"named": self.access.model} if self.access.model else {})
        return step_key("foreign-answers", ANSWERS_VERSION, asked, [self.dataset.digest])


def _texts(answers: Iterable[Answer]) -> dict[str, str]:
    return {answer.id: answer.text for answer in answers}
