"""Turns rows into token ids and labels. Only answers have a loss: every other token has the label -100.

This module tokenises in batches; TRL would do it row by row. The ids and labels are the same (a test compares them), and
it is several times faster. The rows of one process must fit in memory, at 8 bytes per token.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from finetune_flows.training.masks import Conversation, Tools, tokenize
from finetune_flows.training.problems import TrainingProblem

BATCH = 1000


@dataclass(frozen=True)
class Rows:
    """The rows of one split: token ids, labels, and the original messages."""

    tokens: Dataset
    """Columns input_ids and labels."""
    prompts: list[Conversation]
    identities: list[str]
    tools: list[Tools] | None = None
    """Tools of each row; None if no row has any."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of each row, prompt and answer together."""
        return [len(ids) for ids in self.tokens["input_ids"]]


def read_rows(folder: Path, split: str, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Rows | None:
    """Read and tokenise `<split>.parquet`; None when the file is missing or has no rows.

    Raises TrainingProblem when a row is longer than `max_length` tokens (an answer is never cut), when the chat template
    renders a prompt differently with and without an answer, or when an answer does not end with a stop token.
    """
    path = folder / f"{split}.parquet"
    if not path.is_file():
        return None
    with pq.ParquetFile(path) as file:
        columns = [name for name in ("id", "prompt", "completion", "chat") if name in file.schema_arrow.names]
        table = file.read(columns)
    if table.num_rows == 0:
        return None
    prompts: list[Conversation] = []
    tools: list[Tools] = []
    ids, labels = [], []
    for batch in table.to_batches(max_chunksize=BATCH):
        read = [_conversation(row) for row in batch.to_pylist()]
        asked, answers, offered = [each[0] for each in read], [each[1] for each in read], [each[2] for each in read]
        for row_ids, row_labels in tokenize(tokenizer, asked, answers, offered):
            ids.append(row_ids)
            labels.append(row_labels)
        prompts += asked
        tools += offered
    _check(path, ids, labels, tokenizer, max_length)
    tokens = Dataset.from_dict({"input_ids": ids, "labels": labels})
    return Rows(tokens, prompts, table.column("id").to_pylist(), tools if any(tools) else None)


def _conversation(row: dict[str, Any]) -> tuple[Conversation, Conversation, Tools]:
    """Prompt, answer and tools of a row. `chat` holds what messages of two texts cannot; most rows have none."""
    if not row.get("chat"):
        return row["prompt"], row["completion"], None
    chat = json.loads(row["chat"])
    return chat["messages"][:-1], chat["messages"][-1:], chat["tools"] or None


def stop_tokens(tokenizer: PreTrainedTokenizerBase, generation_config: Any = None) -> set[int]:
    """Token ids that end an answer: the tokenizer's end token, and those of the model's generation config."""
    more = getattr(generation_config, "eos_token_id", None)
    listed = more if isinstance(more, list) else [more]
    return {token for token in [tokenizer.eos_token_id, *listed] if token is not None}


def _check(
    path: Path, ids: list[list[int]], labels: list[list[int]], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> None:
    too_long = [len(row) for row in ids if len(row) > min(max_length, tokenizer.model_max_length)]
    if too_long and tokenizer.model_max_length < max_length:
        raise TrainingProblem(
            f"{len(too_long)} of {len(ids)} rows of {path.name} are longer than the {tokenizer.model_max_length} tokens "
            f"that the model can read (the longest has {max(too_long)}). Lower dataset.max_tokens and prepare the data again."
        )
    if too_long:
        raise TrainingProblem(
            f"{len(too_long)} of {len(ids)} rows of {path.name} are longer than max_length ({max_length} tokens; the "
            f"longest has {max(too_long)}). Raise training.max_length, or lower dataset.max_tokens and prepare the data again."
        )
    stops = stop_tokens(tokenizer)
    endless = sum(not stops.intersection(row) for row in labels)
    if endless:
        raise TrainingProblem(
            f"{endless} of {len(labels)} answers of {path.name} do not end with {tokenizer.eos_token!r}, so the model "
            "would never learn to stop. Use a chat template that ends each turn with the tokenizer's end token."
        )
