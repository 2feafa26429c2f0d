"""Requests and replies of Text Generation Inference (TGI), as its Python client and the SageMaker examples use them.

docs/clients.md lists every field. Unlike in TGI, the stop string is not part of the answer.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from finetune_flows.containers.serving.bodies import (
    Body,
    JsonObject,
    NewTokens,
    SamplingFields,
    Temperature,
    Text,
    TopK,
    TopP,
)
from finetune_flows.containers.serving.engine import Sampling
from finetune_flows.containers.serving.form_bodies import Form, Regex, forms
from finetune_flows.containers.serving.service import Finish


class GrammarField(Body):
    """The form of the answer: a JSON schema, or a regular expression."""

    type: Literal["json", "regex"]
    value: JsonObject | Regex

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        if isinstance(self.value, dict) != (self.type == "json"):
            raise PydanticCustomError("grammar", "json needs a schema as an object, and regex an expression as text")
        return self

    def form(self) -> Form:
        """What it asks for."""
        return forms("parameters.grammar.", {self.type: self.value})[0]


class Parameters(SamplingFields):
    """How to choose the tokens of the answer. Greedy, unless do_sample or a sampling value is given."""

    unsupported: ClassVar = {
        "best_of": (1,), "typical_p": (1,), "watermark": (False,), "decoder_input_details": (False,), "top_n_tokens": (0,), "adapter_id": (),
    }  # fmt: skip

    do_sample: bool = False
    max_new_tokens: NewTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    grammar: GrammarField | None = None
    truncate: Annotated[int, Field(ge=1)] | None = None  # number of tokens to keep from the end of the prompt
    return_full_text: bool = False
    details: bool = False

    def sampling(self, new_tokens: int, logprobs: bool) -> Sampling:
        """The engine's settings for this answer."""
        drawn = self.do_sample or any(value is not None for value in (self.temperature, self.top_p, self.top_k))
        return Sampling(
            max_new_tokens=new_tokens,
            temperature=0.0 if not drawn else 1.0 if self.temperature is None else self.temperature,
            top_p=self.top_p or 1.0,
            top_k=max(self.top_k or 0, 0),
            repetition_penalty=self.repetition_penalty,
            frequency_penalty=self.frequency_penalty,
            grammar=self.grammar.form().grammar if self.grammar else None,
            seed=self.own_or_new_seed(),
            logprobs=logprobs,
        )


class GenerateBody(Body):
    """POST /, /generate, /generate_stream, and /invocations in TGI's form."""

    inputs: Annotated[Text, Field(min_length=1)]
    parameters: Parameters = Parameters()
    stream: bool = False
    model: str | None = None


class TgiToken(BaseModel):
    """One generated token. A special token has no text."""

    id: int
    text: str
    logprob: float = Field(description="Natural logarithm of the model's own probability.")
    special: bool


class StreamDetails(BaseModel):
    """How the answer ended."""

    finish_reason: Finish
    generated_tokens: int
    seed: int | None


class Details(StreamDetails):
    """How the answer ended, and its tokens."""

    prefill: Annotated[list[TgiToken], Field(max_length=0)] = []
    tokens: list[TgiToken]


class Generated(BaseModel):
    """An answer in one piece, with `details` if requested."""

    generated_text: str
    details: Details | None = None


class StreamEvent(BaseModel):
    """One event of a stream. The last one contains the whole text and how it ended."""

    index: int
    token: TgiToken
    generated_text: str | None = None
    details: StreamDetails | None = None


class Info(BaseModel):
    """GET /info: the model and the limits of this server."""

    model_id: str
    engine: str
    max_batch_size: int
    max_concurrent_requests: int
    max_best_of: int = 1
    max_total_tokens: int


class TgiError(BaseModel):
    """An error in TGI's format."""

    error: str
    error_type: str
