"""Requests of OpenAI's chat completions and completions, with the fields that vLLM adds, and of vLLM's /tokenize.

docs/clients.md lists every field. `model` may be anything, because this server has one model. `temperature` is 1 by default, as
in OpenAI's API.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from finetune_flows.containers.serving.bodies import (
    Body,
    JsonObject,
    NewTokens,
    Penalty,
    SamplingFields,
    ShortText,
    Temperature,
    Text,
    TopK,
    TopP,
)
from finetune_flows.containers.serving.engine import Sampling
from finetune_flows.containers.serving.form_bodies import Form, GuidedFields, ResponseFormat, StructuredOutputs
from finetune_flows.containers.serving.message_bodies import Messages, NamedTool, Tool, ToolChoice, Tools

TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[TokenId], Field(min_length=1, max_length=200_000, fail_fast=True)]
MOST_ANSWERS = 128  # of one request
MostLogprobs = Annotated[int, Field(ge=0, le=20)]


def _kind_of_prompt(prompt: Any) -> str:
    """The tag of the only kind of prompt that this can be, so that a refusal is about that kind."""
    if not isinstance(prompt, list):
        return UNION_TAGS[0]
    first = prompt[0] if prompt else None
    return UNION_TAGS[1] if isinstance(first, int) else UNION_TAGS[3] if isinstance(first, list) else UNION_TAGS[2]


UNION_TAGS = ("one text", "one list of tokens", "several texts", "several lists of tokens")
Prompt = Annotated[
    Annotated[Text, Tag(UNION_TAGS[0])]
    | Annotated[Tokens, Tag(UNION_TAGS[1])]
    | Annotated[list[Text], Field(min_length=1, max_length=128, fail_fast=True), Tag(UNION_TAGS[2])]
    | Annotated[list[Tokens], Field(min_length=1, max_length=128, fail_fast=True), Tag(UNION_TAGS[3])],
    Discriminator(_kind_of_prompt),
]

# What both kinds of completion refuse, and the values that ask for nothing.
UNSUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "logit_bias": ({}, []), "best_of": (1,), "min_tokens": (0,), "ignore_eos": (False,), "bad_words": ([],),
    "allowed_token_ids": ([],), "skip_special_tokens": (True,), "spaces_between_special_tokens": (True,),
    "include_stop_str_in_output": (False,), "length_penalty": (1,), "use_beam_search": (False,), "echo": (False,),
    "truncate_prompt_tokens": (), "prompt_logprobs": (0,), "logits_processors": ([],), "priority": (0,),
    "return_token_ids": (False,), "return_tokens_as_token_ids": (False,), "guided_decoding_backend": ("auto", "guidance"),
    "guided_whitespace_pattern": (), "moderation": (),
}  # fmt: skip


class StreamOptions(Body):
    """Options of a stream."""

    unsupported: ClassVar = {"continuous_usage_stats": (False,), "include_obfuscation": (True, False)}

    include_usage: bool = False


class CompletionFields(GuidedFields, SamplingFields):
    """The fields that chats and completions have in common."""

    model: str | None = None
    n: Annotated[int, Field(ge=1, le=32)] = 1
    max_tokens: NewTokens | None = None
    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    top_k: TopK = 0
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    presence_penalty: Penalty = 0.0
    stop_token_ids: Annotated[tuple[TokenId, ...], Field(max_length=64, fail_fast=True)] = ()
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    # Labels for the caller's own use, or hints for servers with more than one queue or cache. Without effect here.
    user: str | None = None
    metadata: JsonObject | None = None
    store: bool = False
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: JsonObject | None = None
    cache_salt: str | None = None
    request_id: str | None = None
    service_tier: Literal["auto", "default"] | None = None

    @model_validator(mode="after")
    def _one_form_at_most(self) -> Self:
        if len(forms := self.forms()) > 1:
            raise PydanticCustomError(
                "one_form", "an answer has one form, so give only one of them", {"field": forms[1].field}
            )
        return self

    def forms(self) -> list[Form]:
        """The forms that an answer must have: none or one."""
        asked = self.structured_outputs.forms() if self.structured_outputs else []
        response = self.response_format.form() if self.response_format else None
        return [*([response] if response else []), *asked, *self.guided_forms()]

    def sampling(self, new_tokens: int, logprobs: int | None, grammar: str | None) -> Sampling:
        """The engine's settings for the first choice. `logprobs` is the number of likeliest tokens to list."""
        return Sampling(
            max_new_tokens=new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=max(self.top_k, 0),
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            stop_tokens=frozenset(self.stop_token_ids),
            seed=self.own_or_new_seed(),
            grammar=grammar,
            logprobs=logprobs is not None,
            top_logprobs=logprobs or 0,
        )


class ChatBody(CompletionFields):
    """POST /v1/chat/completions."""

    unsupported: ClassVar = {**UNSUPPORTED, 
        "functions": ([],), "function_call": ("none", "auto"), "modalities": (["text"],), "audio": (), "prediction": (),
        "reasoning_effort": (), "verbosity": ("medium",), "web_search_options": (), "tool_prompt": (),
        "add_generation_prompt": (True,), "continue_final_message": (False,), "chat_template": (), "documents": ([],),
        "include_reasoning": (True,), "mm_processor_kwargs": ({},), "add_special_tokens": (False,),
    }  # fmt: skip

    messages: Messages
    max_completion_tokens: NewTokens | None = None
    logprobs: bool = False
    top_logprobs: MostLogprobs = 0
    tools: Tools = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool = True
    chat_template_kwargs: JsonObject = Field(default_factory=dict)

    @model_validator(mode="after")
    def _of_each_other(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise PydanticCustomError("logprobs", "it needs logprobs: true", {"field": "top_logprobs"})
        if self.must_call and self.forms():
            problem = "a tool must be called, so the answer has no other form"
            raise PydanticCustomError("one_form", problem, {"field": self.forms()[0].field})
        if self.must_call and not self.callable_tools:
            raise PydanticCustomError("tools", "it names none of the tools", {"field": "tool_choice"})
        return self

    @property
    def offered_tools(self) -> tuple[Tool, ...]:
        """The tools that the model reads."""
        return () if self.tool_choice == "none" else self.tools

    @property
    def must_call(self) -> bool:
        """Whether the answer must be a call."""
        return self.tool_choice == "required" or isinstance(self.tool_choice, NamedTool)

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """The tools that the model may call."""
        if isinstance(self.tool_choice, NamedTool):
            return tuple(tool for tool in self.tools if tool.function.name == self.tool_choice.function.name)
        return self.offered_tools


class CompletionBody(CompletionFields):
    """POST /v1/completions: prompts as text or as tokens."""

    unsupported: ClassVar = {**UNSUPPORTED, "suffix": ("",)}

    prompt: Prompt
    add_special_tokens: bool = True
    logprobs: MostLogprobs | None = None

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if len(self.prompts) * self.n > MOST_ANSWERS:
            limits = {"field": "n", "most": MOST_ANSWERS}
            raise PydanticCustomError("too_many", "prompts times n may be {most} at most", limits)
        return self

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """Each prompt: text, or tokens."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        return [self.prompt] if isinstance(self.prompt[0], int) else self.prompt


class TokenizeBody(Body):
    """POST /tokenize: either messages or a prompt."""

    messages: Messages | None = None
    prompt: Text | None = None
    tools: Tools = ()
    chat_template_kwargs: JsonObject = Field(default_factory=dict)
    add_generation_prompt: bool = True
    add_special_tokens: bool = True  # of a prompt; the chat template brings its own
    model: ShortText | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.messages is None) == (self.prompt is None):
            raise PydanticCustomError("either", "give either messages or prompt")
        return self
