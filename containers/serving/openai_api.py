"""OpenAI's chat completions, and vLLM's /tokenize.

Left out, and refused when asked for: several choices, log probabilities, tools, formats, logit biases, presence and
frequency penalties. `model` may be anything: this server has one. Without `temperature` it is 1, as OpenAI has it.
"""

import json
import secrets
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, ClassVar, Self

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from containers.serving.bodies import Body, NewTokens, RepetitionPenalty, Seed, Stops, Temperature, Text, TopK, TopP
from containers.serving.engine import Sampling
from containers.serving.errors import ApiError
from containers.serving.service import Job, Piece, Service


class Message(Body):
    """One turn of the conversation."""

    unsupported: ClassVar = {
        "tool_calls": ([],), "function_call": (), "refusal": (), "audio": (), "annotations": ([],), "tool_call_id": (),
    }  # fmt: skip

    role: Annotated[Text, Field(min_length=1)]
    content: Text
    name: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _join_text_parts(cls, content: Any) -> Any:
        if not isinstance(content, list):
            return content
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            raise PydanticCustomError("not_text", "only text is supported, no images, sound or files")
        return "".join(str(part.get("text", "")) for part in content)


class StreamOptions(Body):
    """What comes with a stream."""

    include_usage: bool = False


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
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    # Labels for the caller's own use
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool = False

    def sampling(self, new_tokens: int) -> Sampling:
        """How the answer is drawn."""
        return Sampling(
            max_new_tokens=new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            seed=secrets.randbits(62) if self.seed is None else self.seed,
        )


class TokenizeBody(Body):
    """POST /tokenize: messages, or a prompt."""

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


class Reply:
    """What all parts of one reply have in common."""

    def __init__(self, service: Service, job: Job) -> None:
        self.head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": service.name,
            "system_fingerprint": service.engine.description,
        }
        self.prompt_tokens = len(job.prompt)

    def usage(self, completion_tokens: int) -> dict[str, int]:
        """Tokens read and generated; the end-of-sequence token counts."""
        counts = {"prompt_tokens": self.prompt_tokens, "completion_tokens": completion_tokens}
        return {**counts, "total_tokens": sum(counts.values())}

    def whole(self, pieces: list[Piece]) -> dict[str, Any]:
        """The reply without a stream."""
        message = {"role": "assistant", "content": "".join(piece.text for piece in pieces)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(pieces[-1])}
        return {**self.head, "object": "chat.completion", "choices": [choice], "usage": self.usage(len(pieces))}

    async def events(self, pieces: AsyncGenerator[Piece], include_usage: bool) -> AsyncIterator[str]:
        """All events of a stream, [DONE] at the end."""
        head = {**self.head, "object": "chat.completion.chunk", **({"usage": None} if include_usage else {})}
        tokens = 0
        yield _event({**head, "choices": _delta({"role": "assistant", "content": ""})})
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    tokens += 1
                    if piece.text:
                        yield _event({**head, "choices": _delta({"content": piece.text})})
                    if piece.finish:
                        yield _event({**head, "choices": _delta({}, _finish_reason(piece))})
            if include_usage:
                yield _event({**head, "choices": [], "usage": self.usage(tokens)})
        except ApiError as error:  # the status is already sent
            yield _event(error.body("openai"))
        # OpenAI's clients need this line. The `text_generation` client fails on it: use its generate_stream instead.
        yield "data: [DONE]\n\n"


async def chat(body: ChatBody, request: Request, service: Service) -> Response:
    """Answer a conversation."""
    prompt = await service.prompts.chat([message.model_dump(include={"role", "content"}) for message in body.messages])
    field = "max_tokens" if body.max_completion_tokens is None else "max_completion_tokens"
    new_tokens = service.prompts.new_tokens(prompt, getattr(body, field), field)
    job = Job(prompt, body.sampling(new_tokens), body.stop)
    reply = Reply(service, job)
    if not body.stream:
        return JSONResponse(reply.whole(await service.answer(job, request)))
    events = reply.events(await service.stream(job, request), body.stream_options.include_usage)
    return StreamingResponse(events, media_type="text/event-stream")


async def tokenize(body: TokenizeBody, service: Service) -> dict[str, Any]:
    """The token ids that the model would read."""
    if body.messages is not None:
        messages = [message.model_dump(include={"role", "content"}) for message in body.messages]
        tokens = await service.prompts.chat(messages, body.add_generation_prompt)
    else:
        tokens = await service.prompts.text(body.prompt or "", body.add_special_tokens)
    return {"count": len(tokens), "max_model_len": service.prompts.window, "tokens": tokens}


def models(service: Service) -> dict[str, Any]:
    """GET /v1/models: the one model."""
    model = {
        "id": service.name,
        "object": "model",
        "created": service.started,
        "owned_by": "finetune-flows",
        "max_model_len": service.prompts.window,
    }
    return {"object": "list", "data": [model]}


def _finish_reason(piece: Piece) -> str:
    return "length" if piece.finish == "length" else "stop"


def _delta(delta: dict[str, str], finish_reason: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]


def _event(content: dict[str, Any]) -> str:
    # All in ASCII: some clients take U+2028 and its like for the end of a line.
    return f"data: {json.dumps(content)}\n\n"
