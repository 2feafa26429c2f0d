"""Lengths in tokens, as the trainer will count them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.dataset.check import CheckedRow, bounded
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.problems.example import Example, Message, Reason
from finetune_flows.tasks.sections.stages import DatasetSection

_ANOTHER = "chat_template: set it to a template that renders the rows, for example chatml"


class Measured(NamedTuple):
    """A checked row and its length."""

    row: CheckedRow
    tokens: int | None
    shortened: bool = False


class TokenCounter:
    """Counts tokens as the trainer does.

    Conversations are rendered with the model's own chat template, as TRL does: once, without a generation prompt; the
    template adds BOS, EOS and turn markers. For a model that only reads text, the tokenizer adds its special tokens.
    """

    def __init__(self, folder: Path, generates: bool = True) -> None:
        """Loads the tokenizer. Raises RecipeError when the model lacks the head or the chat template that is needed."""
        _check_head(folder, "language-model" if generates else "classifier")
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        # Switches off the tokenizer's warning about long texts: dataset.max_tokens decides here.
        self._tokenizer.model_max_length = 10**9
        self._generates = generates
        self._rendered: set[frozenset[str]] = set()  # roles of conversations that the template is known to render
        if generates and not self._tokenizer.chat_template:
            problem = f"chat_template: the tokenizer in {folder} has none. Set it to a file, or to chatml"
            raise RecipeError("model", [problem])

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """Tokens that the text of a row must not contain."""
        return tuple(self._tokenizer.all_special_tokens)

    def lengths(self, examples: list[Example]) -> list[int]:
        """Tokens of each example. Raises RecipeError when the chat template refuses messages or leaves them out."""
        if not examples:
            return []
        if not self._generates:
            texts = [example.prompt[-1]["content"] for example in examples]
            return [len(ids) for ids in self._tokenizer(texts)["input_ids"]]
        for example in examples:
            self._check_rendering(example.prompt)
        conversations = [example.prompt + example.completion for example in examples]
        try:
            encoded = self._tokenizer.apply_chat_template(conversations, tokenize=True, return_dict=True)
        except Exception as error:
            raise RecipeError(
                "model", [f"chat_template: refuses a conversation of the rows: {error}", _ANOTHER]
            ) from error
        return [len(ids) for ids in encoded["input_ids"]]

    def _check_rendering(self, prompt: list[Message]) -> None:
        """Render the first prompt with these roles. Templates differ in what they accept: some know no system message."""
        roles = frozenset(message["role"] for message in prompt)
        if roles in self._rendered:
            return
        named = " and ".join(sorted(roles))
        try:
            text = self._tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template may raise anything
            problem = f"chat_template: the model's own does not accept {named} messages, as the rows have: {error}"
            raise RecipeError("model", [problem, _ANOTHER]) from error
        # Not those of the assistant: a template may leave out the reasoning of earlier answers.
        lost = {each["role"] for each in prompt if each["role"] != "assistant" and each["content"].strip() not in text}
        if lost:
            problem = f"chat_template: the model's own leaves out the {' and '.join(sorted(lost))} message of a row"
            raise RecipeError("model", [problem, _ANOTHER])
        self._rendered.add(roles)


def _check_head(folder: Path, head: str) -> None:
    """Raise RecipeError when staging has found that the base model cannot have this head."""
    file = folder / "heads.json"
    if file.is_file() and head not in json.loads(file.read_text(encoding="utf-8")):
        can = "classify texts" if head == "language-model" else "generate text"
        raise RecipeError("model", [f"source: this base model can only {can}; choose another one for this problem"])


def measure(
    rows: list[CheckedRow], counter: TokenCounter, section: DatasetSection, problem: Problem, shorten: bool
) -> Iterator[Measured]:
    """The rows with their lengths. A row that is too long is shortened if `shorten` is set, or else quarantined."""
    lengths = iter(counter.lengths([row.example for row in rows if row.example]))
    for row in rows:
        tokens = next(lengths) if row.example else None
        if row.example is None or tokens is None or tokens <= section.max_tokens:
            yield Measured(row, tokens)
        else:
            fits = _shortened(row, counter, section, problem) if shorten else None
            yield fits or Measured(_without_example(row, row.example, tokens, section), tokens)


def _shortened(row: CheckedRow, counter: TokenCounter, section: DatasetSection, problem: Problem) -> Measured | None:
    """The longest form of the row that fits; None if none does."""
    for example in problem.shortened(row.example) if row.example else ():
        [tokens] = counter.lengths([example])
        if tokens <= section.max_tokens:
            return Measured(replace(row, example=example), tokens, shortened=True)
    return None


def _without_example(row: CheckedRow, example: Example, tokens: int, section: DatasetSection) -> CheckedRow:
    reason = Reason("too long", f"{tokens:,} tokens, dataset.max_tokens is {section.max_tokens:,}")
    return replace(row, example=None, reasons=(reason,), raw=bounded(json.dumps(example.fields)))
