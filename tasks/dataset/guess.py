"""Guesses from the columns of rows what a model is to learn from them."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.problems.chat.forms import form_of
from finetune_flows.tasks.problems.example import columns_of, is_empty
from finetune_flows.tasks.problems.text_classification.labels import plain_form

_NAMES = {
    "question": ("question", "nl_question", "nl", "utterance", "query_nl", "instruction", "input"),
    "context": ("context", "schema", "create_table", "ddl", "sql_context", "database_schema"),
    "answer": ("answer", "sql", "query", "sql_query", "output", "target"),
    "text": ("text", "sentence", "content", "body", "review", "comment", "tweet", "document", "message", "title", "utterance"),
    "label": ("label", "labels", "category", "categories", "class", "intent", "sentiment", "topic", "tag", "tags", "target"),
}  # fmt: skip
_SEVERAL = ("labels", "categories", "tags")


def guess_problem(rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """The section `problem` of a recipe that fits the first rows of a source. Raises DatasetError when none does."""
    if not rows:
        raise DatasetError(
            "the first rows cannot be read, so the problem cannot be guessed; set it: --set problem.kind=chat"
        )
    found = {field: _column(rows[0], names) for field, names in _NAMES.items()}
    schema = found["context"] and any("create " in str(row.get(str(found["context"]))).lower() for row in rows)
    if schema and found["question"] and found["answer"]:
        return {"kind": "text-to-sql"} | {field: found[field] for field in ("question", "context", "answer")}
    if form_of(rows[0]):
        return {"kind": "chat"}
    if found["text"] and found["label"]:
        several = found["label"].lower() in _SEVERAL
        named = {field: found[field] for field in ("text", "label")}
        return {"kind": "text-classification"} | named | ({"multi_label": True} if several else {})
    if found["text"] and len(marked := _one_hot(rows)) > 1:
        return {"kind": "text-classification", "text": found["text"], "label_columns": marked, "multi_label": True}
    raise DatasetError(
        f"the columns fit no problem: {columns_of(rows[0])}. Say what the model learns and name the columns, for example "
        f"{_example(rows)}"
    )


def _example(rows: Sequence[Mapping[str, object]]) -> str:
    """Options for a classification of the longest texts by the column with the fewest values."""
    columns = [str(column) for column in rows[0]]
    values = {column: [str(row.get(column)) for row in rows] for column in columns}
    text = max(columns, key=lambda column: sum(map(len, values[column])))
    label = min(
        (column for column in columns if column != text), key=lambda column: len({*values[column]}), default=text
    )
    options = ("problem.kind=text-classification", f"problem.text={text}", f"problem.label={label}")
    return " ".join(f"--set {shlex.quote(option)}" for option in options)


def _column(row: Mapping[str, object], names: Sequence[str]) -> str | None:
    by_name = {str(column).strip().lower().replace(" ", "_"): str(column) for column in row}
    return next((by_name[name] for name in names if name in by_name), None)


def _one_hot(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Columns that hold 0 or 1 in every row."""
    return [
        str(column)
        for column in rows[0]
        if all(not is_empty(row.get(column)) and plain_form(str(row[column])) in ("0", "1") for row in rows)
    ]
