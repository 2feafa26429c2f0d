"""Text-to-SQL: question and schema in, one query out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from finetune_flows.tasks.base.statistics import Proportion
from finetune_flows.tasks.endpoints.asking import CHAT, Form, TestRow
from finetune_flows.tasks.problems.contract import Judged, Limit, Problem, Progress
from finetune_flows.tasks.problems.example import Example, Message, digest, normalise, unused_columns
from finetune_flows.tasks.problems.text_to_sql.settings import SqlAnswering, SqlJudging
from finetune_flows.tasks.sections.gate import GateSection


class TextToSql(Problem):
    """Question and schema in, SQL out."""

    model_config = ConfigDict(title="Text to SQL")
    metrics: ClassVar = ("execution", "execution_caseless", "exact_match", "execution_real")
    splits: ClassVar = ("schema", "query", "question", "column")
    language: ClassVar = "sql"
    apart: ClassVar = "tables"
    example: ClassVar = '"How many ships are there?" --context "CREATE TABLE ships (name TEXT, tons INTEGER)"'
    starter: ClassVar = "demo"
    caution: ClassVar = (
        "Its query may run and still be wrong, and it may change data: use a read-only connection with a time limit."
    )

    kind: Literal["text-to-sql"] = Field("text-to-sql", description="Question and schema in, SQL out.")
    question: str = Field("question", description="Column with the question.")
    context: str = Field("context", description="Column with the schema, as CREATE TABLE statements.")
    answer: str = Field("answer", description="Column with the right SQL query.")
    database: str | None = Field(
        None, description="Column with the name of the row's database; only judging.real_databases needs it."
    )
    dialect: Literal["sqlite", "mysql", "postgres", "duckdb"] = Field(
        "sqlite", description='SQL dialect of the answers. mysql reads "x" as text; sql-create-context needs that.'
    )
    instruction: str = Field(
        "You are a text-to-SQL translator. Answer the question with one SQL query for this schema, and nothing else.\n"
        "SCHEMA:\n{context}",
        description="System message. {context} is replaced by the schema.",
    )
    judging: SqlJudging = Field(default_factory=SqlJudging, description="How the answers are judged.")
    answering: SqlAnswering = Field(
        default_factory=SqlAnswering, description="How the evaluation asks the base model and the tuned model."
    )

    @model_validator(mode="after")
    def _names_the_schema(self) -> Self:
        if "{context}" not in self.instruction:
            raise ValueError("instruction must contain {context}, which is replaced by the schema")
        return self

    @property
    def intended_use(self) -> str:
        """Schema and question in, query out."""
        return (
            "It reads a database schema and a question, in the prompt that it was trained on, and answers with one "
            f"{self.dialect} query."
        )

    def columns(self) -> dict[str, str]:
        """The fields question, context, answer and, if the rows name one, database, each with its column."""
        found = {"question": self.question, "context": self.context, "answer": self.answer}
        return found if self.database is None else {**found, "database": self.database}

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        """The example that a row holds. Raises BadRow, see rows.py."""
        from finetune_flows.tasks.problems.text_to_sql.rows import normalise_sql, read_fields

        fields, tables, template = read_fields(row, self.columns(), self.dialect, special_tokens)
        prompt, completion = self.messages(fields)
        question = normalise(fields["question"])
        return Example(
            id=digest(*fields.values()),
            prompt=prompt,
            completion=completion,
            fields=fields,
            asked=f"{question}\n{normalise(fields['context']).rstrip('; ')}",
            answered=normalise_sql(fields["answer"]),
            shares=tables.names,
            tables=tables.columns,
            question=question,
            template=template,
            unused=unused_columns(row, self.columns().values()),
        )

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """The fields under the names of their columns."""
        return {column: fields[field] for field, column in self.columns().items()}

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """Prompt (the schema in the system message, the question as the user's) and completion (the answer)."""
        # Not str.format: a schema or an instruction may contain braces.
        system = self.instruction.replace("{context}", fields["context"])
        prompt = [{"role": "system", "content": system}, {"role": "user", "content": fields["question"]}]
        return prompt, [{"role": "assistant", "content": fields["answer"]}]

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The question. Schema and SQL must not be changed."""
        return (self.question,)

    def shortened(self, example: Example) -> Iterator[Example]:
        """The example with less and less schema."""
        from finetune_flows.tasks.problems.text_to_sql.rows import shorter_contexts

        for context in shorter_contexts(example.fields, self.dialect):
            fields = {**example.fields, "context": context}
            prompt, completion = self.messages(fields)
            yield replace(example, prompt=prompt, completion=completion, fields=fields)

    @property
    def form(self) -> Form:
        """A chat, restricted to the schema's grammar if `answering.grammar` is set."""
        if not self.answering.grammar:
            return CHAT
        from finetune_flows.tasks.problems.text_to_sql.asking import GrammarForm

        return GrammarForm(self.dialect)

    @property
    def answer_settings(self) -> dict[str, Any]:
        """The settings of `answering` that are switched on."""
        return self.answering.model_dump(exclude_defaults=True)

    @property
    def shows_training_rows(self) -> bool:
        """True if prompts contain examples."""
        return self.answering.examples > 0

    @property
    def growth(self) -> tuple[int, int]:
        """Each example adds a row. Each repair adds the answer and an error, which is shorter than the longest answer."""
        return 1 + self.answering.examples, 1 + 2 * self.answering.repairs

    def check(self, rows: Sequence[TestRow]) -> None:
        """Opens the real databases, if the recipe names some."""
        if self.judging.real_databases:
            from finetune_flows.tasks.problems.text_to_sql.real import check_real_databases

            check_real_databases(self.judging.real_databases, rows)

    def asked(self, rows: Sequence[TestRow], dataset: Path) -> Sequence[TestRow]:
        """The rows with `answering.examples` training rows in their prompts."""
        if not self.answering.examples:
            return rows
        from finetune_flows.tasks.problems.text_to_sql.asking import with_examples

        return with_examples(rows, dataset / "train.parquet", self.answering.examples)

    def asked_again(self, rows: Sequence[TestRow], answers: Mapping[str, str], round_: int) -> Sequence[TestRow]:
        """The rows with a query that does not run, for `answering.repairs` rounds."""
        if round_ > self.answering.repairs:
            return ()
        from finetune_flows.tasks.problems.text_to_sql.asking import to_repair

        return to_repair(rows, answers, self.dialect)

    def judge_answers(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Runs every query; see verdicts.py."""
        from finetune_flows.tasks.problems.text_to_sql.verdicts import judge, seen_tables

        return judge(rows, answers, self.dialect, self.judging, seen_tables(dataset / "train.parquet"), on_progress)

    def judge_settings(self) -> dict[str, str | int | bool]:
        """Number of databases, rules of comparison, and versions of the libraries."""
        import sqlite3

        from finetune_flows.tasks.sql.engines import engine_here

        versions = {"sqlite": sqlite3.sqlite_version, "sqlglot": version("sqlglot")}
        versions["engine"] = engine_here(self.dialect) or "none"
        return {**self.judging.model_dump(exclude={"real_databases"}), **versions}

    def how_judged(self, rows: Mapping[str, Mapping[str, int]]) -> str:
        """Which engine ran the queries, and whether it was the dialect's own."""
        from finetune_flows.tasks.problems.text_to_sql.page import how_judged

        return how_judged(rows.get("engine", {}))

    def limits(self, gate: GateSection, metrics: Mapping[str, Proportion]) -> Iterator[Limit]:
        """The limit on the share of queries that do not run."""
        if gate.max_invalid_sql is not None:
            invalid = 1 - metrics["valid_sql"].value
            yield Limit("max_invalid_sql", invalid, gate.max_invalid_sql, "the share of invalid SQL")

    def mistakes(self, metric: str, gate: GateSection) -> Iterator[str]:
        """The mistakes of all problems, and settings of real databases that lack something."""
        yield from super().mistakes(metric, gate)
        real = self.judging.real_databases
        if metric == "execution_real" and real is None:
            yield "evaluation.metric: execution_real needs problem.judging.real_databases"
        if real and "{database}" in real.source and self.database is None:
            yield (
                "problem.judging.real_databases.source contains {database}, but problem.database names no column for it"
            )
