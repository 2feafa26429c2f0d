"""Turns texts into token ids and labels into numbers.

The prompt of a row holds the text. Each message of its completion holds one label.
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from finetune_flows.training.data import Rows
from finetune_flows.training.masks import Conversation
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.task import Task


def read_labelled(
    folder: Path, split: str, tokenizer: PreTrainedTokenizerBase, task: Task, max_length: int
) -> Rows | None:
    """Read and tokenise `<split>.parquet`; None when the file is missing or has no rows.

    `labels` is the index of the row's label. With several labels per row, it is a vector of 0.0 and 1.0, one per label.

    Raises TrainingProblem when a text is longer than `max_length` tokens or than the model can read, or when a row has a
    label that task.json does not name.
    """
    path = folder / f"{split}.parquet"
    if not path.is_file():
        return None
    table = pq.read_table(path, columns=["id", "prompt", "completion"])
    if table.num_rows == 0:
        return None
    prompts: list[Conversation] = table.column("prompt").to_pylist()
    ids: list[list[int]] = tokenizer([text_of(prompt) for prompt in prompts])["input_ids"]
    _check_lengths(path, ids, min(max_length, int(tokenizer.model_max_length)))
    labels = [
        _numbers(path, [each["content"] for each in said], task) for said in table.column("completion").to_pylist()
    ]
    tokens = Dataset.from_dict({"input_ids": ids, "labels": labels})
    return Rows(tokens, prompts, table.column("id").to_pylist())


def text_of(prompt: Conversation) -> str:
    """The text to classify: the last message of the prompt."""
    return str(prompt[-1]["content"])


def _check_lengths(path: Path, ids: list[list[int]], limit: int) -> None:
    too_long = [len(row) for row in ids if len(row) > limit]
    if too_long:
        raise TrainingProblem(
            f"{len(too_long)} of {len(ids)} texts of {path.name} are longer than {limit} tokens (the longest has "
            f"{max(too_long)}). That is more than training.max_length or more than the model can read. Lower "
            "dataset.max_tokens and prepare the data again."
        )


def _numbers(path: Path, labels: list[str], task: Task) -> Any:
    unknown = set(labels) - set(task.labels)
    if unknown or (not task.multi_label and len(labels) != 1):
        raise TrainingProblem(f"{path.name} has a row labelled {labels}; task.json names {list(task.labels)}")
    if task.multi_label:
        return [float(label in labels) for label in task.labels]
    return task.labels.index(labels[0])
