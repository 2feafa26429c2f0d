"""What a problem must do: turn rows into examples before training, and answers into verdicts after it.

A problem is one object: the section of the recipe, with the methods that use it. No other code knows a problem by name.
It must be picklable, because rows are checked in worker processes. Every recipe is read with all problems, so a problem's
module imports slow libraries (SQL parsers, numpy) only where it uses them.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Collection as Texts
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from finetune_flows.tasks.base.statistics import Estimate, Proportion, Statistic, mean_of
from finetune_flows.tasks.endpoints.asking import CHAT, Form, TestRow
from finetune_flows.tasks.problems.example import Example, Message
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer
from finetune_flows.tasks.sections.gate import GateSection
from finetune_flows.tasks.sections.section import Section

Progress = Callable[[int], None]


@dataclass
class Judged:
    """A verdict on every row, in order, and the wrong answers for a person to read."""

    verdicts: list[Verdict] = field(default_factory=list)
    wrong: list[WrongAnswer] = field(default_factory=list)
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """Scores that are not shares of rows, such as F1."""
    details: dict[str, Any] = field(default_factory=dict)
    """Further results, as JSON values: tables, a confusion matrix."""


class Limit(NamedTuple):
    """A limit of the gate for one problem only: field of the gate, measured value, limit, and name for messages."""

    field: str
    measured: float
    limit: float
    what: str


class Problem(Section):
    """What the model learns. Subclasses add the fields of the recipe's section, among them `kind`."""

    metrics: ClassVar[tuple[str, ...]]
    """Scores that the gate can compare; the first is the default."""
    estimates: ClassVar[tuple[str, ...]] = ()
    """Scores that are not shares of rows; gate.scores can set conditions on them."""
    splits: ClassVar[tuple[str, ...]] = ("question", "column")
    """Permitted values of dataset.split_by, besides auto."""
    generates: ClassVar[bool] = True
    """True if the model generates text, False if it assigns labels."""
    converses: ClassVar[bool] = False
    """True if messages may hold more than two texts: tool calls, reasoning, several answers to learn. See `conversation`."""
    language: ClassVar[str] = ""
    """Language of answers that are code: sql."""
    apart: ClassVar[str]
    """What `Example.shares` names, in the plural: training and test never have one of these in common."""
    base: ClassVar[str] = "base model"
    """What the tuned model is compared with: the base model, or a baseline if the base model cannot answer."""
    example: ClassVar[str]
    """Example arguments for `finetune endpoint call`."""
    starter: ClassVar[str] = ""
    """The shipped recipe that a new project with this problem starts from (`finetune init`); empty if there is none."""
    caution: ClassVar[str]
    """For the model card: what not to trust the model with, in a sentence."""

    @property
    def loss_unit(self) -> str:
        """What the training loss is a mean of."""
        return "nats per token of the answers" if self.generates else "nats per text"

    @property
    def headline(self) -> str | None:
        """The one of `estimates` that reports show first; None: the gate's metric."""
        return None

    @property
    @abstractmethod
    def intended_use(self) -> str:
        """For the model card: the model's input and output, in a sentence."""

    # Rows.

    @abstractmethod
    def columns(self) -> Texts[str]:
        """Names of the fields of an example."""

    @abstractmethod
    def read_row(self, row: Mapping[str, object], special_tokens: Texts[str] = ()) -> Example:
        """The example that a row holds. Raises BadRow, with all reasons, if it holds none."""

    @abstractmethod
    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """A row from which `read_row` makes the example with these fields again."""

    @abstractmethod
    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """The prompt that the model reads, and the completion that it should write."""

    def conversation(self, fields: Mapping[str, str]) -> Mapping[str, Any] | None:
        """The messages with everything that chat templates render, and the tools; None if `messages` gives all there is."""
        return None

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Columns with text that the model reads and dataset.steps may change; empty if the texts are inside messages."""
        return ()

    def shortened(self, example: Example) -> Iterator[Example]:
        """Ever shorter forms of an example that is too long; empty if it cannot be shortened."""
        return iter(())

    def task(self, train: Path) -> Mapping[str, Any]:
        """Content of task.json, which the training program reads with the rows. `train`: the Parquet file of the rows.

        Raises:
            DatasetError: nothing can be learnt from these rows.
        """
        return {"head": "language-model"}

    def notes(self, train: Path) -> list[str]:
        """What a person should know about the rows, in a sentence each. `train`: the Parquet file of the rows."""
        return []

    # Questions.

    @property
    def form(self) -> Form:
        """The request format for endpoints."""
        return CHAT

    @property
    def answer_settings(self) -> dict[str, Any]:
        """Settings of the questions that differ from their defaults. They are part of the key of stored answers."""
        return {}

    @property
    def shows_training_rows(self) -> bool:
        """Whether prompts contain training rows, so that answers depend on them too."""
        return False

    @property
    def growth(self) -> tuple[int, int]:
        """The largest number of rows whose text is in one request, and of answers in it."""
        return 1, 1

    def check(self, rows: Sequence[TestRow]) -> None:
        """Checks, before any cost, that everything needed for judging is there. Raises EnvironmentProblem."""

    def asked(self, rows: Sequence[TestRow], dataset: Path) -> Sequence[TestRow]:
        """The rows with the prompts that the endpoint gets. `dataset`: the prepared folder."""
        return rows

    def asked_again(self, rows: Sequence[TestRow], answers: Mapping[str, str], round_: int) -> Sequence[TestRow]:
        """The rows to ask once more in this round (1, 2, ...); empty when no row needs another round."""
        return ()

    def base_answers(self, rows: Sequence[TestRow], dataset: Path) -> Mapping[str, str] | None:
        """Answers of the baseline by row id; None: the base model is asked, behind an endpoint."""
        return None

    # Verdicts.

    @abstractmethod
    def judge_answers(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Judges the answers, given by row id. A row without an answer is wrong. `dataset`: the prepared folder.

        Raises:
            EnvironmentProblem: this machine lacks something that judging needs.
            TryLater: a service that judging uses cannot be reached.
        """

    @abstractmethod
    def judge_settings(self) -> dict[str, str | int | bool]:
        """What the verdicts depend on besides rows and answers."""

    def statistic(self, name: str, verdicts: Sequence[Verdict], details: Mapping[str, Any]) -> Statistic:
        """Computes one of `estimates` from verdicts and details. Default: the mean of the rows' values."""
        return mean_of([verdict.values[name] for verdict in verdicts])

    def limits(self, gate: GateSection, metrics: Mapping[str, Proportion]) -> Iterator[Limit]:
        """Limits of the gate for this problem only. `metrics`: the tuned model's scores."""
        return iter(())

    def how_judged(self, rows: Mapping[str, Mapping[str, int]]) -> str:
        """What a reader must know before the scores, in a sentence or two. `rows`: how many, by division and part."""
        return ""

    def details_page(self, details: Mapping[str, Any]) -> list[str]:
        """The details of the scores, as lines of Markdown."""
        return []

    # The recipe.

    def mistakes(self, metric: str, gate: GateSection) -> Iterator[str]:
        """Mistakes in the section, each with its path in the recipe. `metric`: the score that the gate compares."""
        if metric not in self.metrics:
            yield f"evaluation.metric: {metric!r} is not one of {', '.join(self.metrics)}"
        for name in gate.scores:
            if name not in self.estimates:
                known = ", ".join(self.estimates) or "none for this problem"
                yield f"gate.scores.{name}: unknown; permitted are {known}"
