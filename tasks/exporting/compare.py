"""An exported model answers the test rows of the original, and both are judged alike."""

import shutil
from collections.abc import Sequence

from pydantic import Field

from finetune_flows.tasks.artifacts.store import verify
from finetune_flows.tasks.base.statistics import Comparison, Proportion
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.evaluation.exam import EndpointExam, Progress
from finetune_flows.tasks.evaluation.registry import Entry
from finetune_flows.tasks.evaluation.scores import compare
from finetune_flows.tasks.recipe import Recipe


class Difference(Frozen):
    """The answers of the original and of the exported model to the same rows."""

    rows: int
    same_answers: int = Field(description="Rows with the same text as answer, apart from spaces around it.")
    same_prompts: int | None = Field(
        None, description="Prompts with the same token ids; None if they were not compared."
    )
    metric: str = Field(description="The score that the gate compares.")
    original: dict[str, Proportion]
    exported: dict[str, Proportion]
    comparisons: dict[str, Comparison] = Field(description="By metric; the original is the first.")


class TestRows:
    """The test rows of a judged model, with the answers that it gave when it was judged."""

    __test__ = False  # pytest would collect it as a test class because of its name

    def __init__(self, entry: Entry, recipe: Recipe, rows: int) -> None:
        """`recipe`: the one that the model was judged with. `rows`: how many to use, or all if it was judged on fewer."""
        verify(entry.dataset)
        verify(entry.evaluation)
        with (entry.evaluation.path / "predictions.jsonl").open(encoding="utf-8") as lines:
            answers = [Answer.model_validate_json(line) for line in lines]
        self.answers = answers[:rows]
        self._entry = entry
        # One question at a time: neither the size of a batch nor the load changes an answer.
        asked = recipe.evaluation.model_copy(update={"rows": len(self.answers), "concurrency": 1})
        self._recipe = recipe.model_copy(update={"evaluation": asked})

    @property
    def prompts(self) -> Sequence[TestRow]:
        """The rows as the model is asked them."""
        return self._exam("", "").questions

    def compare(self, connection: Connection, exported: str, on_progress: Progress) -> Difference:
        """Asks the exported model behind `connection`. `exported`: digest of its files.

        Raises:
            EnvironmentProblem: something that judging needs is missing.
            TryLater, EndpointFailed: it gave no answer to some rows.
        """
        exam = self._exam(connection.url, exported)
        try:
            answers = exam.ask(connection, on_progress)
        finally:
            shutil.rmtree(exam.predictions.parent, ignore_errors=True)
        before, after = exam.score(self.answers, "original"), exam.score(answers, "exported model")
        return Difference(
            rows=len(answers),
            same_answers=sum(a.text.strip() == b.text.strip() for a, b in zip(self.answers, answers, strict=True)),
            metric=self._recipe.metric,
            original=before.scores.metrics,
            exported=after.scores.metrics,
            comparisons={
                metric: compare(metric, before.judged.verdicts, after.judged.verdicts)
                for metric in after.scores.metrics
            },
        )

    def _exam(self, url: str, model: str) -> EndpointExam:
        return EndpointExam(self._recipe, self._entry.dataset, url, model)
