"""Replies of OpenAI's chat completions and completions, of its list of models, and of vLLM's /tokenize."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class PromptTokensDetails(BaseModel):
    """Details about the tokens of the prompt."""

    cached_tokens: int = Field(description="Tokens that earlier prompts have put into the cache.")


class Usage(BaseModel):
    """Numbers of tokens read and generated, including the end-of-sequence token."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


FinishReason = Literal["stop", "length", "tool_calls"]


class CalledFunction(BaseModel):
    """The function to call, and its arguments: JSON as the model has written it."""

    name: str
    arguments: str


class ToolCall(BaseModel):
    """A call that the model asks for."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class ToolCallDelta(ToolCall):
    """A whole call, and its place among the calls of the answer."""

    index: int


class AnswerMessage(BaseModel):
    """The answer. `content` is null if it consists of calls only."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    tool_calls: list[ToolCall] | None = None


class TopLogprob(BaseModel):
    """A token that could have been chosen."""

    token: str
    logprob: float = Field(description="Natural logarithm of the model's own probability, before temperature.")
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """The token that was chosen, and the likeliest ones."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """The probabilities of the tokens of a chat's answer."""

    content: list[TokenLogprob]


class TextLogprobs(BaseModel):
    """The probabilities of the tokens of a completion, and where in the text each begins."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class Choice(BaseModel):
    """One answer."""

    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: FinishReason


class Delta(BaseModel):
    """The next piece of an answer. The first one names the role, and the last one is empty."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(BaseModel):
    """A piece of one answer."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: FinishReason | None = None


class TextChoice(BaseModel):
    """One completion, or a piece of it."""

    index: int
    text: str
    logprobs: TextLogprobs | None = None
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
    choices: Annotated[list[Choice], Field(min_length=1)]
    usage: Usage


class ChatCompletionChunk(Head):
    """One event of a stream. If `usage` was requested, one event without choices has it, and in the others it is null."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    choices: list[ChunkChoice]
    usage: Usage | None = None


class TextCompletion(Head):
    """Completions, whole or as one event of a stream."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[TextChoice]
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


class TokenIds(BaseModel):
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
