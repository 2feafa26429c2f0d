"""What a problem must do: rows to examples before training, answers to verdicts after it. Nothing else knows one by name.

A problem is one object: the section of the recipe, and what is done by it. Rows are checked in worker processes, so that
it can be pickled. Every recipe is read with all problems, so a problem's module imports what takes time (SQL parsers,
numpy) where it is used.
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
    """A verdict on every row in order, and what a person wants to see of each wrong answer."""

    verdicts: list[Verdict] = field(default_factory=list)
    wrong: list[WrongAnswer] = field(default_factory=list)
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """Scores that are no share of rows, such as F1."""
    details: dict[str, Any] = field(default_factory=dict)
    """What else was found, as JSON holds it: tables, a confusion matrix."""


class Limit(NamedTuple):
    """A limit of the gate that is for one problem alone: the gate's field, what was measured, its limit, and its name."""

    field: str
    measured: float
    limit: float
    what: str


class Problem(Section):
    """What the model learns. Subclasses add the fields of the recipe's section, among them `kind`."""

    metrics: ClassVar[tuple[str, ...]]
    """Scores that the gate may look at; the first is the default."""
    estimates: ClassVar[tuple[str, ...]] = ()
    """Scores that are no shares of rows, on which gate.scores may set conditions."""
    splits: ClassVar[tuple[str, ...]] = ("question", "column")
    """What dataset.split_by may be, beside auto."""
    generates: ClassVar[bool] = True
    """Whether the model answers a chat in its own words, or puts labels on a text."""
    language: ClassVar[str] = ""
    """Of answers that are code: sql."""
    apart: ClassVar[str]
    """What `Example.shares` names, in the plural: what training and test never have in common."""
    base: ClassVar[str] = "base model"
    """What the tuned model is compared with: the base model, or what stands for it where that cannot answer."""
    example: ClassVar[str]
    """Arguments of `finetune endpoint call` that anybody can try."""
    caution: ClassVar[str]
    """For the model card: what the model is not to be trusted with, in a sentence."""

    @property
    @abstractmethod
    def intended_use(self) -> str:
        """For the model card: what the model is given and what it answers, in a sentence."""

    # Rows.

    @abstractmethod
    def columns(self) -> Texts[str]:
        """Names of the fields that an example has."""

    @abstractmethod
    def read_row(self, row: Mapping[str, object], special_tokens: Texts[str] = ()) -> Example:
        """The example that a row holds. Raises BadRow with all reasons why it holds none."""

    @abstractmethod
    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """A row from which `read_row` makes the example with these fields again."""

    @abstractmethod
    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """What the model reads, and what it should say to it."""

    @property
    def input_columns(self) -> tuple[str, ...]:
        """Columns of the texts that the model reads and dataset.steps may change; none where the texts are inside messages."""
        return ()

    def shortened(self, example: Example) -> Iterator[Example]:
        """Shorter and shorter forms of an example that is too long; none where it cannot be cut."""
        return iter(())

    def task(self, train: Path) -> Mapping[str, Any]:
        """What the training program reads beside the rows (task.json); `train`: the Parquet file of its rows.

        Raises:
            DatasetError: nothing can be learnt from these rows.
        """
        return {"head": "language-model"}

    # Questions.

    @property
    def form(self) -> Form:
        """How an endpoint is asked."""
        return CHAT

    @property
    def answer_settings(self) -> dict[str, Any]:
        """How answers are asked for, where that is not the usual way: they are kept by it."""
        return {}

    @property
    def shows_training_rows(self) -> bool:
        """Whether a question shows training rows, so that answers depend on them too."""
        return False

    @property
    def growth(self) -> tuple[int, int]:
        """How many rows' texts and how many answers one request holds at most."""
        return 1, 1

    def check(self, rows: Sequence[TestRow]) -> None:
        """Before anything is spent: is there all that judging needs? Raises EnvironmentProblem."""

    def asked(self, rows: Sequence[TestRow], dataset: Path) -> Sequence[TestRow]:
        """The rows as an endpoint is asked them. `dataset`: the prepared folder."""
        return rows

    def asked_again(self, rows: Sequence[TestRow], answers: Mapping[str, str], round_: int) -> Sequence[TestRow]:
        """The rows to ask once more in this round (1, 2, ...); empty when no row needs another round."""
        return ()

    def base_answers(self, rows: Sequence[TestRow], dataset: Path) -> Mapping[str, str] | None:
        """By row id, what the tuned model is compared with says; None: the base model is asked, behind an endpoint."""
        return None

    # Verdicts.

    @abstractmethod
    def judge_answers(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Judges every row by the raw answer to its id; one without an answer is wrong. `dataset`: the prepared folder.

        Raises:
            EnvironmentProblem: this machine lacks what judging needs.
            TryLater: something that judging asks cannot be reached.
        """

    @abstractmethod
    def judge_settings(self) -> dict[str, str | int | bool]:
        """What the verdicts depend on beside rows and answers."""

    def statistic(self, name: str, verdicts: Sequence[Verdict], details: Mapping[str, Any]) -> Statistic:
        """How one of `estimates` follows from verdicts and details: the mean of what the rows add to it."""
        return mean_of([verdict.values[name] for verdict in verdicts])

    def limits(self, gate: GateSection, metrics: Mapping[str, Proportion]) -> Iterator[Limit]:
        """Shares that the gate limits for this problem alone. `metrics`: what the tuned model scored."""
        return iter(())

    def how_judged(self, rows: Mapping[str, Mapping[str, int]]) -> str:
        """What a reader must know before the scores, in a sentence or two. `rows`: how many, by division and part."""
        return ""

    def details_page(self, details: Mapping[str, Any]) -> list[str]:
        """The details of its scores as lines of Markdown."""
        return []

    # The recipe.

    def mistakes(self, metric: str, gate: GateSection) -> Iterator[str]:
        """What of the section cannot be, with its path in the recipe. `metric`: what the gate looks at."""
        if metric not in self.metrics:
            yield f"evaluation.metric: {metric!r} is not one of {', '.join(self.metrics)}"
        for name in gate.scores:
            if name not in self.estimates:
                known = ", ".join(self.estimates) or "none for this problem"
                yield f"gate.scores.{name}: unknown; permitted are {known}"
