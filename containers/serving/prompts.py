"""Turns the messages or the text of a request into token ids."""

import asyncio
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from finetune_flows.containers.serving.errors import invalid

if TYPE_CHECKING:  # importing transformers takes seconds, and /ping must answer before
    from transformers import PreTrainedTokenizerFast

DEFAULT_NEW_TOKENS = 512


class Prompts:
    """The model's tokenizer and its window: the maximum length of prompt and answer together, in tokens."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", window: int) -> None:
        self.tokenizer = tokenizer
        self.window = window
        self.special_tokens = frozenset(tokenizer.all_special_ids)
        # Set this now: otherwise the first call would change the Rust tokenizer while other threads use it.
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()

    async def chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> list[int]:
        """Token ids of a conversation, rendered by the model's own chat template with its special tokens."""
        return await asyncio.to_thread(self._chat, messages, add_generation_prompt)

    async def text(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Token ids of plain text, with exactly one BOS token if the model has one."""
        return await asyncio.to_thread(self._text, text, add_special_tokens)

    def new_tokens(self, prompt: list[int], wanted: int | None, field: str) -> int:
        """How long the answer may be: `wanted`, or up to 512 tokens that fit. Raises ApiError when it does not fit."""
        room = self.window - len(prompt)
        if room < 1:
            raise invalid(
                "prompt", f"it has {len(prompt)} tokens, but prompt and answer together may have {self.window} at most"
            )
        if wanted is not None and wanted > room:
            raise invalid(
                field,
                f"{wanted} new tokens after a prompt of {len(prompt)} make {wanted + len(prompt)}, "
                f"but prompt and answer together may have {self.window} at most",
            )
        return wanted or min(DEFAULT_NEW_TOKENS, room)

    def _chat(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> list[int]:
        if self.tokenizer.chat_template is None:
            raise invalid("messages", "this model has no chat template; send plain text as `inputs`")
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except (TemplateError, TypeError) as error:
            raise invalid("messages", f"the model's chat template refuses them: {error}") from error
        return self._ids(text, add_special_tokens=False)

    def _text(self, text: str, add_special_tokens: bool) -> list[int]:
        bos: Any = self.tokenizer.bos_token
        return self._ids(text, add_special_tokens and not (bos and text.startswith(bos)))

    def _ids(self, text: str, add_special_tokens: bool) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=add_special_tokens).input_ids
        return ids
