"""One row as the model gets it, token by token."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finetune_flows.tasks.base.errors import DatasetError, RecipeError
from finetune_flows.tasks.dataset.build import find_sources
from finetune_flows.tasks.dataset.check import CheckedRow, check_batch
from finetune_flows.tasks.dataset.lengths import load_tokenizer
from finetune_flows.tasks.dataset.preprocessing import Preprocessing
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.problems.example import Example, Message
from finetune_flows.tasks.sections.stages import DatasetSection


class Token(NamedTuple):
    """A token of a row."""

    id: int
    text: str
    learnt: bool
    """Whether it has a loss: the model learns to write it."""


def find_row(section: DatasetSection, problem: Problem, place: str) -> CheckedRow:
    """The checked row at a place of the source: its line or number, if there are several files after their name and a colon.

    Raises:
        DatasetError: there is no such row.
    """
    file, _, line = place.rpartition(":")
    if not (line.isdecimal() and len(line) < 16):
        raise DatasetError(f"{place}: name a row by its line (12), or by file and line (b.jsonl:12)")
    for row in find_sources(section)[0].rows():
        if row.line == int(line) and row.file.endswith(file):
            return check_batch([row], problem, section.slice_column, (), Preprocessing.of(section, problem))[0]
    raise DatasetError(f"{section.source}: has no row {place}")


def messages_of(problem: Problem, example: Example) -> tuple[list[Message], Sequence[Mapping[str, Any]]]:
    """The messages of an example, those that the model learns with `"train": True`, and its tools."""
    whole = problem.conversation(example.fields)
    if whole:
        return whole["messages"], whole["tools"]
    return [*example.prompt, *({**message, "train": True} for message in example.completion)], ()


def tokens_of(problem: Problem, example: Example, tokenizer_folder: Path) -> list[Token]:
    """The tokens that the model reads, as the training program makes them. A classifier learns none of them.

    Raises:
        RecipeError: the tokenizer has no chat template, or one that cannot render the row for training.
    """
    from finetune_flows.training.masks import IGNORED, tokenize
    from finetune_flows.training.problems import TrainingProblem

    tokenizer = load_tokenizer(tokenizer_folder, problem.generates)
    if not problem.generates:
        ids = tokenizer(example.prompt[-1]["content"])["input_ids"]
        labels = [IGNORED] * len(ids)
    else:
        messages, tools = messages_of(problem, example)
        given = [[dict(tool) for tool in tools] or None]
        try:
            [(ids, labels)] = tokenize(tokenizer, [messages[:-1]], [messages[-1:]], given)
        except TrainingProblem as error:
            raise RecipeError("model", [f"chat_template: {error}"]) from error
    return [Token(id_, tokenizer.decode([id_]), label != IGNORED) for id_, label in zip(ids, labels, strict=True)]
