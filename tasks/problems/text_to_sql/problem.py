"""Text-to-SQL as the stages know it; what it does stands in text_to_sql.py (rows) and text_to_sql_scores.py (answers)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from finetune_flows.tasks.endpoints.asking import CHAT, Form, TestRow
from finetune_flows.tasks.problems.contract import Judged, Progress
from finetune_flows.tasks.problems.example import Example, Message
from finetune_flows.tasks.problems.text_to_sql import rows as text_to_sql
from finetune_flows.tasks.problems.text_to_sql import verdicts as text_to_sql_scores
from finetune_flows.tasks.problems.text_to_sql.asking import GrammarForm, to_repair, with_examples
from finetune_flows.tasks.problems.text_to_sql.real import check_real_databases
from finetune_flows.tasks.problems.text_to_sql.section import TextToSql
from finetune_flows.tasks.sql.query_features import SeenTables


@dataclass(frozen=True)
class TextToSqlProblem:
    """Question and schema in, one query out."""

    section: TextToSql
    apart: str = "tables"
    base: str = "base model"
    example: str = '"How many ships are there?" --context "CREATE TABLE ships (name TEXT, tons INTEGER)"'

    @property
    def form(self) -> Form:
        """A chat, held to the schema's grammar where the recipe wants it."""
        return GrammarForm(self.section.dialect) if self.section.answering.grammar else CHAT

    def columns(self) -> Collection[str]:
        """Question, context, answer, and the database where the rows name one."""
        return text_to_sql.columns(self.section)

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        """The example that a row holds."""
        return text_to_sql.read_row(self.section, row, special_tokens)

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """The fields under the names of their columns."""
        return {column: fields[field] for field, column in text_to_sql.columns(self.section).items()}

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """Schema and question, and the query."""
        return text_to_sql.messages(self.section, fields)

    def shortened(self, example: Example) -> Iterator[Example]:
        """The example with less and less schema."""
        return text_to_sql.shortened(self.section, example)

    def task(self, train: Path) -> Mapping[str, Any]:
        """A language model is trained, as when nothing is said."""
        return {"head": "language-model"}

    def check(self, rows: Sequence[TestRow]) -> None:
        """Opens the real databases, where the recipe names some."""
        check_real_databases(self.section.judging.real_databases, rows)

    def base_answers(self, rows: Sequence[TestRow], dataset: Path) -> None:
        """The base model is asked itself."""

    def asked(self, rows: Sequence[TestRow], dataset: Path) -> Sequence[TestRow]:
        """With examples from the training rows, where the recipe wants some."""
        count = self.section.answering.examples
        return with_examples(rows, dataset / "train.parquet", count) if count else rows

    def asked_again(self, rows: Sequence[TestRow], answers: Mapping[str, str], round_: int) -> Sequence[TestRow]:
        """Those whose query does not run, as often as the recipe wants it."""
        return to_repair(self.section, rows, answers) if round_ <= self.section.answering.repairs else ()

    def judge(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Runs every query."""
        seen = SeenTables(_contexts(dataset / "train.parquet"))
        return text_to_sql_scores.judge(self.section, rows, answers, seen, on_progress)

    def judge_settings(self) -> dict[str, str | int | bool]:
        """Databases, rules and versions."""
        return text_to_sql_scores.judge_settings(self.section)


def _contexts(train: Path) -> Iterator[str]:
    with pq.ParquetFile(train) as file:
        for batch in file.iter_batches(columns=["fields.context"]):
            yield from (fields["context"] for fields in batch.column("fields").to_pylist())
