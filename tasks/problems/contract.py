"""What a problem must do: rows to examples before training, answers to verdicts after it. Nothing else knows one by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Collection as Texts
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from finetune_flows.tasks.endpoints.asking import Form, TestRow
from finetune_flows.tasks.problems.example import Example, Message
from finetune_flows.tasks.problems.verdict import Estimate, Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer

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


class Problem(Protocol):
    """A problem as a recipe's section describes it. Rows are checked in worker processes, so it can be pickled."""

    @property
    def apart(self) -> str:
        """What `Example.shares` names, in the plural: what training and test never have in common."""

    @property
    def base(self) -> str:
        """What the tuned model is compared with: the base model, or what stands for it where that cannot answer."""

    @property
    def example(self) -> str:
        """Arguments of `finetune endpoint call` that anybody can try."""

    @property
    def form(self) -> Form:
        """How an endpoint is asked."""

    def columns(self) -> Texts[str]:
        """Names of the fields that an example has."""

    def read_row(self, row: Mapping[str, object], special_tokens: Texts[str] = ()) -> Example:
        """The example that a row holds. Raises BadRow with all reasons why it holds none."""

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """A row from which `read_row` makes the example with these fields again."""

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """What the model reads, and what it should say to it."""

    def shortened(self, example: Example) -> Iterator[Example]:
        """Shorter and shorter forms of an example that is too long; none where it cannot be cut."""

    def task(self, train: Path) -> Mapping[str, Any]:
        """What the training program is told beside the rows (task.json); `train`: the Parquet file of its rows.

        Raises:
            DatasetError: nothing can be learnt from these rows.
        """

    def check(self, rows: Sequence[TestRow]) -> None:
        """Before anything is spent: is there all that judging needs? Raises EnvironmentProblem."""

    def asked(self, rows: Sequence[TestRow], dataset: Path) -> Sequence[TestRow]:
        """The rows as an endpoint is asked them. `dataset`: the prepared folder."""

    def asked_again(self, rows: Sequence[TestRow], answers: Mapping[str, str], round_: int) -> Sequence[TestRow]:
        """Those to ask once more in this round (1, 2, ...) because their answer will not do; none when all is said."""

    def base_answers(self, rows: Sequence[TestRow], dataset: Path) -> Mapping[str, str] | None:
        """By row id, what the tuned model is compared with says; None: the base model is asked, behind an endpoint."""

    def judge(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Judges every row by the raw answer to its id; one without an answer is wrong. `dataset`: the prepared folder.

        Raises:
            EnvironmentProblem: this machine lacks what judging needs.
            TryLater: something that judging asks cannot be reached.
        """

    def judge_settings(self) -> dict[str, str | int | bool]:
        """What the verdicts depend on beside rows and answers."""


class AskedOnce:
    """A problem whose rows are asked as they stand, and once."""

    def asked(self, rows: Sequence[TestRow], dataset: Path) -> Sequence[TestRow]:
        """The rows themselves."""
        return rows

    def asked_again(self, rows: Sequence[TestRow], answers: Mapping[str, str], round_: int) -> Sequence[TestRow]:
        """None."""
        return ()
