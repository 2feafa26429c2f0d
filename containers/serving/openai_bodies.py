"""Requests and replies of OpenAI's chat completions and of vLLM's /tokenize.

Not supported, and refused: several choices, log probabilities, tools, response formats, logit biases, presence and frequency
penalties. `model` may be anything, because this server has one model. `temperature` is 1 by default, as in OpenAI's API.
"""

import secrets
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from finetune_flows.containers.serving.bodies import (
    Body,
    NewTokens,
    RepetitionPenalty,
    Seed,
    Stops,
    Temperature,
    Text,
    TopK,
    TopP,
)
from finetune_flows.containers.serving.engine import Sampling


class TextPart(BaseModel):
    """A part of a message's content."""

    type: Literal["text"]
    text: str


class Message(Body):
    """One turn of the conversation."""

    unsupported: ClassVar = {
        "tool_calls": ([],), "function_call": (), "refusal": (), "audio": (), "annotations": ([],), "tool_call_id": (),
    }  # fmt: skip

    role: Annotated[Text, Field(min_length=1)]
    content: Text
    name: str | None = None

    @field_validator("content", mode="before", json_schema_input_type=str | list[TextPart])
    @classmethod
    def _join_text_parts(cls, content: Any) -> Any:
        if not isinstance(content, list):
            return content
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            raise PydanticCustomError("not_text", "only text is supported, no images, sound or files")
        return "".join(str(part.get("text", "")) for part in content)


class StreamOptions(Body):
    """Options of a stream."""

    include_usage: bool = False


class StructuredOutputs(Body):
    """The form that the answer must have, as in vLLM's field of the same name."""

    grammar: Annotated[Text, Field(min_length=1, max_length=200_000)]


class ChatBody(Body):
    """POST /v1/chat/completions."""

    unsupported: ClassVar = {
        "n": (1,), "logprobs": (False,), "top_logprobs": (0,), "logit_bias": ({}, []), "tools": ([],), "tool_prompt": (),
        "tool_choice": ("none", "auto"), "parallel_tool_calls": (True, False), "functions": ([],),
        "function_call": ("none", "auto"), "response_format": ({"type": "text"},), "presence_penalty": (0,),
        "frequency_penalty": (0,), "modalities": (["text"],), "audio": (),
    }  # fmt: skip

    messages: Annotated[list[Message], Field(min_length=1)]
    model: str | None = None
    max_completion_tokens: NewTokens | None = None
    max_tokens: NewTokens | None = None
    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    top_k: TopK = 0
    repetition_penalty: RepetitionPenalty = 1.0
    stop: Stops = ()
    seed: Seed | None = None
    structured_outputs: StructuredOutputs | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    # Labels for the caller's own use, without effect here.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool = False

    def sampling(self, new_tokens: int) -> Sampling:
        """The engine's settings for this answer."""
        return Sampling(
            max_new_tokens=new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            seed=secrets.randbits(62) if self.seed is None else self.seed,
            grammar=self.structured_outputs.grammar if self.structured_outputs else None,
        )


class TokenizeBody(Body):
    """POST /tokenize: either messages or a prompt."""

    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    prompt: Text | None = None
    add_generation_prompt: bool = True
    add_special_tokens: bool = True  # of a prompt; the chat template brings its own
    model: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.messages is None) == (self.prompt is None):
            raise PydanticCustomError("either", "give either messages or prompt")
        return self


class PromptTokensDetails(BaseModel):
    """Details about the tokens of the prompt."""

    cached_tokens: int = Field(description="Tokens that earlier prompts have put into the cache.")


class Usage(BaseModel):
    """Numbers of tokens read and generated, including the end-of-sequence token."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


FinishReason = Literal["stop", "length"]


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    """The one answer."""

    index: Literal[0] = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: FinishReason


class Delta(BaseModel):
    """The next piece of the answer. The first one names the role, and the last one is empty."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """A piece of the one answer."""

    index: Literal[0] = 0
    delta: Delta
    logprobs: None = None
    finish_reason: FinishReason | None = None


class Head(BaseModel):
    """The fields that all parts of one reply share."""

    id: str
    created: int = Field(description="Seconds since 1970.")
    model: str
    system_fingerprint: str


class ChatCompletion(Head):
    """A reply in one piece."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: Annotated[list[Choice], Field(min_length=1, max_length=1)]
    usage: Usage


class ChatCompletionChunk(Head):
    """One event of a stream. If `usage` was requested, one event without choices has it, and in the others it is null."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    choices: list[ChunkChoice]
    usage: Usage | None = None


class ModelCard(BaseModel):
    """The one model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["finetune-flows"] = "finetune-flows"
    max_model_len: int = Field(description="Maximum length of prompt and answer together, in tokens.")


class ModelList(BaseModel):
    """GET /v1/models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class Tokens(BaseModel):
    """The token ids that the model would read."""

    count: int
    max_model_len: int
    tokens: list[int]


class OpenAIErrorDetail(BaseModel):
    """What is wrong, and in which field."""

    message: str
    type: str
    param: str | None
    code: int


class OpenAIError(BaseModel):
    """An error in OpenAI's format."""

    error: OpenAIErrorDetail
