"""Better SQL answers without training: a grammar, examples in the prompt, and a second try with the error message."""

import heapq
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from finetune_flows.tasks.endpoints.asking import ChatForm, TestRow
from finetune_flows.tasks.problems.text_to_sql.extract import extract_sql
from finetune_flows.tasks.problems.text_to_sql.grammar import sql_grammar
from finetune_flows.tasks.sections.stages import EvaluationSection
from finetune_flows.tasks.sql.judging import SqlPair
from finetune_flows.tasks.sql.workers import SqlWorkers

Fields = Mapping[str, str]


class GrammarForm(ChatForm):
    """A chat in which the model can write only a query on the row's schema."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect

    def body(self, row: TestRow, section: EvaluationSection) -> dict[str, Any]:
        """The messages and, if the schema can be parsed, its grammar, in vLLM's field for structured outputs."""
        grammar = sql_grammar(row.fields["context"], self.dialect)
        held = {"structured_outputs": {"grammar": grammar}} if grammar else {}
        return {**super().body(row, section), **held}


def with_examples(rows: Sequence[TestRow], train: Path, count: int) -> list[TestRow]:
    """The rows, each with the `count` training rows of the most similar schema and question in its system message.

    Similarity: cosine of word counts, with names split at underscores. Training rows are read in batches; only the best are
    held in memory.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(token_pattern=r"[A-Za-z]+|\d+", alternate_sign=False)
    asked = words.transform(map(_words, (row.fields for row in rows)))
    best: list[list[tuple[float, int, Fields]]] = [[] for _ in rows]
    at = 0
    with pq.ParquetFile(train) as file:
        for batch in file.iter_batches(batch_size=4096, columns=["fields"]):
            fields = batch.column("fields").to_pylist()
            similar = (asked @ words.transform(map(_words, fields)).T).toarray()
            for kept, scores in zip(best, similar, strict=True):
                # Ties go to the earlier row, so that the same data set always gives the same prompts.
                candidates = ((float(scores[n]), -at - n, fields[n]) for n in scores.argsort()[-count:])
                kept[:] = heapq.nlargest(count, [*kept, *candidates], key=lambda each: each[:2])
            at += len(fields)
    return [_with(row, [fields for *_, fields in reversed(kept)]) for row, kept in zip(rows, best, strict=True)]


def to_repair(rows: Sequence[TestRow], answers: Mapping[str, str], dialect: str) -> list[TestRow]:
    """The rows with an answer that does not run on their schema, with answer and error appended to the prompt."""
    # One generated database is enough to see whether a query runs.
    pairs = [
        SqlPair(row.fields["context"], "", extract_sql(answers[row.id], dialect), dialect, databases=1) for row in rows
    ]
    with SqlWorkers() as workers:
        errors = [outcome.error for outcome in workers.judge_all(pairs)]
    return [_once_more(row, answers[row.id], error) for row, error in zip(rows, errors, strict=True) if error]


def _once_more(row: TestRow, answer: str, error: str) -> TestRow:
    words = f"This does not run: {error}. Answer again with one SQL query for the schema, and nothing else."
    more = [{"role": "assistant", "content": answer}, {"role": "user", "content": words}]
    return row.model_copy(update={"prompt": [*row.prompt, *more]})


def _with(row: TestRow, examples: Sequence[Fields]) -> TestRow:
    system, *rest = row.prompt
    shown = "\n".join(f"{each['context']}\n{each['question']}\n{each['answer']}" for each in examples)
    content = f"EXAMPLES:\n{shown}\n\n{system['content']}" if examples else system["content"]
    return row.model_copy(update={"prompt": [{**system, "content": content}, *rest]})


def _words(fields: Fields) -> str:
    return f"{fields['context']} {fields['question']}"
