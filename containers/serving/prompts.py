"""Turns the messages or the text of a request into token ids."""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from finetune_flows.containers.serving.errors import ApiError, invalid
from finetune_flows.containers.serving.text import special_tokens
from finetune_flows.containers.serving.tools import ToolFormat, format_of

if TYPE_CHECKING:  # importing transformers takes seconds, and /ping must answer before
    from transformers import PreTrainedTokenizerFast

DEFAULT_NEW_TOKENS = 512
# What chat_template_kwargs must not set: variables that have fields of their own, and arguments of transformers' function.
RESERVED = {
    "messages", "conversation", "tools", "documents", "chat_template", "add_generation_prompt", "continue_final_message",
    "tokenize", "padding", "truncation", "max_length", "return_tensors", "return_dict", "return_assistant_tokens_mask",
    "tokenizer_kwargs", "sanitize_control_tokens",
}  # fmt: skip


class Prompts:
    """The model's tokenizer and its window: the maximum length of prompt and answer together, in tokens."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", window: int) -> None:
        self.tokenizer = tokenizer
        self.window = window
        self.special_tokens = special_tokens(tokenizer.backend_tokenizer) | frozenset(tokenizer.all_special_ids)
        self.added_tokens: dict[str, int] = tokenizer.get_added_vocab()
        self.token_text = lru_cache(maxsize=50_000)(self._token_text)
        # Set this now: otherwise the first call would change the Rust tokenizer while other threads use it.
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
        # A text of more characters than this has more tokens than the window, whatever they are.
        self._most_characters = window * max(map(len, tokenizer.get_vocab()))

    @property
    def tools(self) -> ToolFormat | None:
        """The format of tool calls that the chat template asks for, if it is known."""
        return format_of(self._template([{}]))

    def hidden(self, shown: frozenset[str]) -> frozenset[int]:
        """The special tokens without those texts that are `shown`."""
        return self.special_tokens - {self.tokenizer.convert_tokens_to_ids(text) for text in shown}

    async def chat(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]] | None = None,
        options: dict[str, Any] | None = None,
        add_generation_prompt: bool = True,
    ) -> list[int]:
        """Token ids of a conversation, rendered by the model's own chat template with its special tokens.

        The template reads `options` by their names. Raises ApiError when it refuses them, or the messages or tools.
        """
        return await asyncio.to_thread(self._chat, messages, tools, options or {}, add_generation_prompt)

    async def text(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Token ids of plain text, with exactly one BOS token if the model has one. Raises ApiError: much too long."""
        return await asyncio.to_thread(self._text, text, add_special_tokens)

    def refuse_unknown(self, prompts: list[list[int]]) -> None:
        """Raises ApiError: a prompt of tokens has one that the model does not have, or is empty."""
        most = len(self.tokenizer)
        for place, prompt in enumerate(prompts):
            if not prompt:
                raise invalid(f"prompt.{place}", "it has no tokens")
            if max(prompt) >= most:
                raise invalid(f"prompt.{place}", f"it has token {max(prompt)}, and the model only those below {most}")

    def new_tokens(self, prompt: list[int], wanted: int | None, field: str) -> int:
        """How long the answer may be: `wanted`, or up to 512 tokens that fit. Raises ApiError when it does not fit."""
        room = self.window - len(prompt)
        if room < 1:
            raise self._too_long(f"{len(prompt)}")
        if wanted is not None and wanted > room:
            raise invalid(
                field,
                f"{wanted} new tokens after a prompt of {len(prompt)} make {wanted + len(prompt)}, "
                f"but prompt and answer together may have {self.window} at most",
            )
        return wanted or min(DEFAULT_NEW_TOKENS, room)

    def _too_long(self, tokens: str) -> ApiError:
        return invalid(
            "prompt", f"it has {tokens} tokens, but prompt and answer together may have {self.window} at most"
        )

    def _chat(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]] | None,
        options: dict[str, Any],
        add_generation_prompt: bool,
    ) -> list[int]:
        self._refuse_what_the_template_ignores(messages, tools, options)
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tools=tools, tokenize=False, add_generation_prompt=add_generation_prompt, **options
            )
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise invalid("messages", f"the model's chat template refuses them: {str(error)[:500]}") from error
        return self._ids(text, add_special_tokens=False)

    def _refuse_what_the_template_ignores(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, options: dict[str, Any]
    ) -> None:
        if self.tokenizer.chat_template is None:
            raise invalid("messages", "this model has no chat template; send plain text as `inputs`")
        template = self._template(tools)
        if tools and "tools" not in template:
            raise invalid("tools", "not supported by this model: its chat template has no tools")
        for place, message in enumerate(messages):
            # Many templates write any role into the prompt, also one that the model has never read.
            if (role := message["role"]) not in ("system", "user", "assistant") and role not in template:
                raise invalid(f"messages.{place}.role", f"this model's chat template has no role {role[:100]!r}")
            if "tool_calls" in message and "tool_calls" not in template:
                raise invalid(f"messages.{place}.tool_calls", "this model's chat template has no tool calls")
        for name in options:
            # Only names that the template reads: everything else would change nothing, or how the template is rendered.
            if name in RESERVED or name not in template:
                raise invalid(f"chat_template_kwargs.{name[:100]}", "this model's chat template does not read it")

    def _template(self, tools: list[dict[str, Any]] | None) -> str:
        """The template for this request. Some models have one of their own for tools."""
        if self.tokenizer.chat_template is None:
            return ""
        template: str = self.tokenizer.get_chat_template(None, tools)
        return template

    def _text(self, text: str, add_special_tokens: bool) -> list[int]:
        bos: Any = self.tokenizer.bos_token
        return self._ids(text, add_special_tokens and not (bos and text.startswith(bos)))

    def _ids(self, text: str, add_special_tokens: bool) -> list[int]:
        if len(text) > self._most_characters:  # reading megabytes only to refuse them would take gigabytes
            raise self._too_long(f"more than {self.window}")
        ids: list[int] = self.tokenizer(text, add_special_tokens=add_special_tokens).input_ids
        return ids

    def _token_text(self, token: int) -> str:
        text: str = self.tokenizer.decode([token])
        return text
