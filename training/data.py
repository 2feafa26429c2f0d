"""Turns rows into token ids and labels. Only the answer has a loss: every token of the prompt has the label -100.

This module tokenises in batches; TRL would do it row by row. The ids and labels are the same (a test compares them), and
it is several times faster. The rows of one process must fit in memory, at 8 bytes per token.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from finetune_flows.training.problems import TrainingProblem

IGNORED = -100  # the label that PyTorch's cross entropy skips
BATCH = 1000
Conversation = list[dict[str, str]]


@dataclass(frozen=True)
class Rows:
    """The rows of one split: token ids, labels, and the original messages."""

    tokens: Dataset
    """Columns input_ids and labels."""
    prompts: list[Conversation]
    identities: list[str]

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
    table = pq.read_table(path, columns=["id", "prompt", "completion"])
    if table.num_rows == 0:
        return None
    prompts, ids, labels = [], [], []
    for batch in table.to_batches(max_chunksize=BATCH):
        conversations = batch.column("prompt").to_pylist()
        answers = batch.column("completion").to_pylist()
        prompts += conversations
        for row_ids, row_labels in tokenize(tokenizer, conversations, answers):
            ids.append(row_ids)
            labels.append(row_labels)
    _check(path, ids, labels, tokenizer, max_length)
    tokens = Dataset.from_dict({"input_ids": ids, "labels": labels})
    return Rows(tokens, prompts, table.column("id").to_pylist())


def tokenize(
    tokenizer: PreTrainedTokenizerBase, prompts: list[Conversation], answers: list[Conversation]
) -> list[tuple[list[int], list[int]]]:
    """Token ids and labels of each row, rendered by the tokenizer's chat template."""
    asked = prompt_ids(tokenizer, prompts)
    whole = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    answered: list[list[int]] = tokenizer.apply_chat_template(whole, tokenize=True, return_dict=True)["input_ids"]
    rows = []
    for prompt, ids in zip(asked, answered, strict=True):
        if ids[: len(prompt)] != prompt:
            raise TrainingProblem(
                "The chat template renders a prompt differently when an answer follows. The model would be trained on "
                f"prompts that the server never sends: {tokenizer.decode(prompt)[-200:]!r} became "
                f"{tokenizer.decode(ids)[-200:]!r}. Set model.chat_template to another template."
            )
        rows.append((ids, [IGNORED] * len(prompt) + ids[len(prompt) :]))
    return rows


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompts: list[Conversation]) -> list[list[int]]:
    """Token ids of the prompts as the server renders them, up to the start of the answer."""
    rendered = tokenizer.apply_chat_template(prompts, tokenize=True, add_generation_prompt=True, return_dict=True)
    ids: list[list[int]] = rendered["input_ids"]
    return ids


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
