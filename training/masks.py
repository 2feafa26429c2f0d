"""Token ids of conversations, and which of them the model learns. The orchestrator shows them with this module too."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from finetune_flows.training.problems import TrainingProblem

IGNORED = -100  # the label that PyTorch's cross entropy skips
Conversation = list[dict[str, Any]]
"""Messages as chat templates take them. One with `"train": True` is learnt."""
Tools = Sequence[dict[str, Any]] | None


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[Conversation],
    answers: list[Conversation],
    tools: Sequence[Tools] | None = None,
) -> list[tuple[list[int], list[int]]]:
    """Token ids and labels of each row, rendered by the tokenizer's chat template. Labels are IGNORED or the token.

    The answer is learnt, and every message of the prompt with `"train": True`. Raises TrainingProblem when the template
    renders the beginning of a conversation differently once more follows.
    """
    asked = prompt_ids(tokenizer, prompts, tools)
    whole = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    answered = _render(tokenizer, whole, tools, add_generation_prompt=False)
    rows = []
    for number, (prompt, ids) in enumerate(zip(asked, answered, strict=True)):
        if ids[: len(prompt)] != prompt:
            raise TrainingProblem(
                "The chat template renders a prompt differently when an answer follows. The model would be trained on "
                f"prompts that the server never sends: {tokenizer.decode(prompt)[-200:]!r} became "
                f"{tokenizer.decode(ids)[-200:]!r}. Set model.chat_template to another template."
            )
        labels = [IGNORED] * len(prompt) + ids[len(prompt) :]
        for start, end in _earlier_answers(tokenizer, prompts[number], ids, tools[number] if tools else None):
            labels[start:end] = ids[start:end]
        rows.append((ids, labels))
    return rows


def prompt_ids(
    tokenizer: PreTrainedTokenizerBase, prompts: list[Conversation], tools: Sequence[Tools] | None = None
) -> list[list[int]]:
    """Token ids of the prompts as the server renders them, up to the start of the answer."""
    return _render(tokenizer, prompts, tools, add_generation_prompt=True)


def conversation_ids(
    tokenizer: PreTrainedTokenizerBase, whole: list[Conversation], tools: Sequence[Tools] | None = None
) -> list[list[int]]:
    """Token ids of conversations with their answers."""
    return _render(tokenizer, whole, tools, add_generation_prompt=False)


def answer_length(labels: Sequence[int]) -> int:
    """The number of tokens of the last answer: the labels at the end of a row that are not IGNORED."""
    return next((place for place, label in enumerate(reversed(labels)) if label == IGNORED), len(labels))


def _earlier_answers(
    tokenizer: PreTrainedTokenizerBase, prompt: Conversation, ids: list[int], tools: Tools
) -> list[tuple[int, int]]:
    """First and last place (exclusive) of each answer inside a prompt that is learnt, with its stop token."""
    spans = []
    for place, message in enumerate(prompt):
        if not message.get("train"):
            continue
        [before] = prompt_ids(tokenizer, [prompt[:place]], [tools])
        [so_far] = conversation_ids(tokenizer, [prompt[: place + 1]], [tools])
        start = len(before)
        # A row cannot hold the stop token in its text, so the first one ends the answer.
        stops = [at for at in range(start, min(len(so_far), len(ids))) if ids[at] == tokenizer.eos_token_id]
        if ids[:start] != before or not stops:
            raise TrainingProblem(
                "The chat template renders an earlier answer differently when more turns follow, or does not end it with "
                f"{tokenizer.eos_token!r}, so the model cannot learn it there: {tokenizer.decode(so_far)[-200:]!r}. Set "
                "problem.train_on to last, or model.chat_template to another template."
            )
        spans.append((start, stops[0] + 1))
    return spans


def _render(
    tokenizer: PreTrainedTokenizerBase,
    conversations: list[Conversation],
    tools: Sequence[Tools] | None,
    add_generation_prompt: bool,
) -> list[list[int]]:
    """Token ids. Conversations without tools go through the template in one batch."""
    given = tools or [None] * len(conversations)
    plain = [place for place, each in enumerate(given) if not each]
    rendered: dict[int, list[int]] = {}
    if plain:
        batch = [without_flags(conversations[place]) for place in plain]
        found = tokenizer.apply_chat_template(
            batch, tokenize=True, return_dict=True, add_generation_prompt=add_generation_prompt
        )
        rendered |= zip(plain, found["input_ids"], strict=True)
    for place, each in enumerate(given):
        if each:
            found = tokenizer.apply_chat_template(
                without_flags(conversations[place]),
                tools=list(each),
                tokenize=True,
                return_dict=True,
                add_generation_prompt=add_generation_prompt,
            )
            rendered[place] = found["input_ids"]
    return [rendered[place] for place in range(len(conversations))]


def without_flags(conversation: Conversation) -> Conversation:
    """The messages as a server takes them."""
    return [{key: value for key, value in message.items() if key != "train"} for message in conversation]
