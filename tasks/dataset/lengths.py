"""Lengths in tokens, as the trainer will count them."""

import json
from collections.abc import Iterator, Sequence
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


def load_tokenizer(folder: Path, generates: bool = True) -> Any:
    """The tokenizer of a model. Raises RecipeError when it cannot be read, or has no chat template and one is needed."""
    from transformers import AutoTokenizer

    if not folder.is_dir():  # transformers would ask the hub for a model of this name
        raise RecipeError("model", [f"there is no tokenizer in {folder}: it is no folder"])
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the file is somebody's, and its readers raise anything
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise RecipeError("model", [f"the tokenizer in {folder} cannot be read: {words[0]}"]) from error
    # Switches off the tokenizer's warning about long texts: dataset.max_tokens decides here.
    tokenizer.model_max_length = 10**9
    if generates and not tokenizer.chat_template:
        problem = f"chat_template: the tokenizer in {folder} has none. Set it to a file, or to chatml"
        raise RecipeError("model", [problem])
    return tokenizer


class TokenCounter:
    """Counts tokens as the trainer does.

    Conversations are rendered with the model's own chat template, as TRL does: once, without a generation prompt; the
    template adds BOS, EOS and turn markers. For a model that only reads text, the tokenizer adds its special tokens.
    """

    def __init__(self, folder: Path, generates: bool = True) -> None:
        """Loads the tokenizer. Raises RecipeError when the model lacks the head or the chat template that is needed."""
        _check_head(folder, "language-model" if generates else "classifier")
        self._tokenizer = load_tokenizer(folder, generates)
        self._generates = generates
        self._rendered: set[str] = set()
        self._accepted: set[frozenset[str]] = set()  # roles of conversations that the template is known to render

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
        from finetune_flows.training.masks import conversation_ids

        for example in examples:
            self._check_accepted(example.prompt, example.tools)
        conversations = [example.prompt + example.completion for example in examples]
        tools = [example.tools for example in examples]
        try:
            encoded = conversation_ids(self._tokenizer, conversations, tools)
            for conversation, offered in zip(conversations, tools, strict=True):
                self._check_rendered(conversation, offered)
        except Exception as error:  # a template may raise anything
            if isinstance(error, RecipeError):
                raise
            problem = f"chat_template: refuses a conversation of the rows: {error}"
            raise RecipeError("model", [problem, _ANOTHER]) from error
        return [len(ids) for ids in encoded]

    def _check_rendered(self, conversation: list[Message], tools: Sequence[dict[str, Any]]) -> None:
        """Raises RecipeError when the chat template leaves out tools, calls or reasoning: the model would not see them.

        One conversation of each kind is enough.
        """
        poorer = {
            "tools": (conversation, []) if tools else None,
            "tool calls": (_without("tool_calls", conversation), tools) if _has("tool_calls", conversation) else None,
            "reasoning": (_without("reasoning_content", conversation), tools)
            if _has("reasoning_content", conversation[-1:])
            else None,
        }
        new = {what: without for what, without in poorer.items() if without and what not in self._rendered}
        if not new:
            return
        text = self._text(conversation, tools)
        if missing := [what for what, without in new.items() if self._text(*without) == text]:
            advice = "Use a base model whose template does, or set model.chat_template. problem.reasoning: leave_out drops reasoning"
            raise RecipeError(
                "model", [f"chat_template: does not render {' and '.join(missing)} of the rows. {advice}"]
            )
        self._rendered |= {*new}

    def _check_accepted(self, prompt: list[Message], tools: Sequence[dict[str, Any]]) -> None:
        """Render the first prompt with these roles. Templates differ in what they accept: some know no system message."""
        roles = frozenset(message["role"] for message in prompt)
        if roles in self._accepted:
            return
        named = " and ".join(sorted(roles))
        try:
            text = self._text(prompt, tools, add_generation_prompt=True)
        except Exception as error:  # a template may raise anything
            problem = f"chat_template: the model's own does not accept {named} messages, as the rows have: {error}"
            raise RecipeError("model", [problem, _ANOTHER]) from error
        # Not those of the assistant and of tools: templates leave out the reasoning of earlier answers and quote results.
        asked = [each for each in prompt if each["role"] in ("system", "user")]
        lost = {each["role"] for each in asked if (each.get("content") or "").strip() not in text}
        if lost:
            problem = f"chat_template: the model's own leaves out the {' and '.join(sorted(lost))} message of a row"
            raise RecipeError("model", [problem, _ANOTHER])
        self._accepted.add(roles)

    def _text(self, conversation: list[Message], tools: Sequence[dict[str, Any]], **options: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(
            conversation, tools=list(tools) or None, tokenize=False, **options
        )
        return text


def _has(key: str, conversation: list[Message]) -> bool:
    return any(key in message for message in conversation)


def _without(key: str, conversation: list[Message]) -> list[Message]:
    return [{name: value for name, value in message.items() if name != key} for message in conversation]


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
