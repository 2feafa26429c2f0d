"""Answers OpenAI's chat completions and vLLM's /tokenize."""

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from finetune_flows.containers.serving.errors import ApiError
from finetune_flows.containers.serving.openai_bodies import (
    AnswerMessage,
    ChatBody,
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
    ModelCard,
    ModelList,
    OpenAIError,
    PromptTokensDetails,
    TokenizeBody,
    Tokens,
    Usage,
)
from finetune_flows.containers.serving.service import Job, Piece, Service


class Reply:
    """Builds the parts of one reply, which share their head."""

    def __init__(self, service: Service, job: Job) -> None:
        self.head: dict[str, Any] = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": service.name,
            "system_fingerprint": service.engine.description,
        }
        self.prompt_tokens = len(job.prompt)

    def usage(self, pieces: list[Piece]) -> Usage:
        """Numbers of tokens read and generated."""
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=len(pieces),
            total_tokens=self.prompt_tokens + len(pieces),
            prompt_tokens_details=PromptTokensDetails(cached_tokens=pieces[0].token.cached),
        )

    def whole(self, pieces: list[Piece]) -> ChatCompletion:
        """The reply in one piece."""
        message = AnswerMessage(content="".join(piece.text for piece in pieces))
        choice = Choice(message=message, finish_reason=_finish_reason(pieces[-1]))
        return ChatCompletion(**self.head, choices=[choice], usage=self.usage(pieces))

    async def events(self, pieces: AsyncGenerator[Piece], include_usage: bool) -> AsyncIterator[str]:
        """All events of a stream, with [DONE] at the end."""
        so_far: list[Piece] = []
        usage: dict[str, Any] = {"usage": None} if include_usage else {}

        def chunk(delta: Delta, finish_reason: FinishReason | None = None) -> str:
            choice = ChunkChoice(delta=delta, logprobs=None, index=0, finish_reason=finish_reason)
            return self._event([choice], usage)

        yield chunk(Delta(role="assistant", content=""))
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    so_far.append(piece)
                    if piece.text:
                        yield chunk(Delta(content=piece.text))
                    if piece.finish:
                        yield chunk(Delta(), _finish_reason(piece))
            if include_usage:
                yield self._event([], {"usage": self.usage(so_far)})
        except ApiError as error:  # the status is already sent, so the error becomes an event
            yield _sent(OpenAIError.model_validate(error.body("openai")))
        # OpenAI's clients need this line. The `text_generation` client fails on it: use its generate_stream instead.
        yield "data: [DONE]\n\n"

    def _event(self, choices: list[ChunkChoice], usage: dict[str, Any]) -> str:
        return _sent(ChatCompletionChunk(**self.head, object="chat.completion.chunk", choices=choices, **usage))


async def chat(body: ChatBody, request: Request, service: Service) -> Response:
    """Answer a conversation."""
    prompt = await service.prompts.chat([message.model_dump(include={"role", "content"}) for message in body.messages])
    field = "max_tokens" if body.max_completion_tokens is None else "max_completion_tokens"
    new_tokens = service.prompts.new_tokens(prompt, getattr(body, field), field)
    request.state.record.capture(["\n".join(message.content for message in body.messages)], service.settings.capture)
    job = Job(prompt, body.sampling(new_tokens), body.stop)
    reply = Reply(service, job)
    if not body.stream:
        return JSONResponse(reply.whole(await service.answer(job, request)).model_dump())
    events = reply.events(await service.stream(job, request), body.stream_options.include_usage)
    return StreamingResponse(events, media_type="text/event-stream")


async def tokenize(body: TokenizeBody, service: Service) -> Tokens:
    """The token ids that the model would read for these messages or this prompt."""
    if body.messages is not None:
        messages = [message.model_dump(include={"role", "content"}) for message in body.messages]
        tokens = await service.prompts.chat(messages, body.add_generation_prompt)
    else:
        tokens = await service.prompts.text(body.prompt or "", body.add_special_tokens)
    return Tokens(count=len(tokens), max_model_len=service.prompts.window, tokens=tokens)


def models(service: Service) -> ModelList:
    """GET /v1/models: a list with the one model."""
    card = ModelCard(id=service.name, created=service.started, max_model_len=service.prompts.window)
    return ModelList(data=[card])


def _finish_reason(piece: Piece) -> FinishReason:
    return "length" if piece.finish == "length" else "stop"


def _sent(content: BaseModel) -> str:
    # Escape everything beyond ASCII, because some clients take characters such as U+2028 for the end of a line.
    return f"data: {content.model_dump_json(exclude_unset=True, ensure_ascii=True)}\n\n"
