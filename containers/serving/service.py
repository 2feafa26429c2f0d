"""One answer: a prompt goes to the engine, text comes back, and a client that hangs up frees its place."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from containers.serving.engine import Engine, GenerationFailed, QueueFull, Sampling, Token
from containers.serving.errors import ApiError, Kind
from containers.serving.middleware import Record
from containers.serving.prompts import Prompts
from containers.serving.text import AnswerText

Finish = Literal["length", "eos_token", "stop_sequence"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Job:
    """What is asked of the engine, whichever API it came by."""

    prompt: list[int]
    sampling: Sampling
    stops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """One token and the text that it made certain."""

    token: Token
    text: str
    finish: Finish | None


@dataclass(frozen=True)
class Service:
    """The loaded model."""

    name: str
    engine: Engine
    prompts: Prompts
    started: int  # seconds since 1970

    async def stream(self, job: Job, request: Request) -> AsyncGenerator[Piece]:
        """The answer, token by token. Returns when the first token is there, so that a refusal still gets a status."""
        pieces = self._pieces(job, request.state.record)
        first = await unless_disconnected(request, anext(pieces))
        return _chain(first, pieces)

    async def answer(self, job: Job, request: Request) -> list[Piece]:
        """The whole answer."""

        async def collect() -> list[Piece]:
            async with aclosing(self._pieces(job, request.state.record)) as pieces:
                return [piece async for piece in pieces]

        return await unless_disconnected(request, collect())

    async def _pieces(self, job: Job, record: Record) -> AsyncGenerator[Piece]:
        record.prompt_tokens = len(job.prompt)
        text = AnswerText(self.prompts.tokenizer.backend_tokenizer, job.stops)
        try:
            async with aclosing(self.engine.generate(job.prompt, job.sampling)) as tokens:
                async for token in tokens:
                    record.completion_tokens += 1
                    piece = _piece(text, token)
                    yield piece
                    if piece.finish:
                        return
        except QueueFull as error:
            raise ApiError(Kind.OVERLOADED, str(error)) from error
        except GenerationFailed as error:
            raise ApiError(Kind.FAILED, str(error)) from error


async def _chain(first: Piece, rest: AsyncGenerator[Piece]) -> AsyncGenerator[Piece]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _piece(text: AnswerText, token: Token) -> Piece:
    shown = text.add(token.id)
    if token.finish and not text.stopped:
        shown += text.finish()
    if text.stopped:
        return Piece(token, shown, "stop_sequence")
    return Piece(token, shown, "eos_token" if token.finish == "eos" else token.finish)


async def unless_disconnected(request: Request, work: Awaitable[Result]) -> Result:
    """The result of `work`, which is cancelled when the client hangs up. Raises ClientDisconnect then."""
    task = asyncio.ensure_future(work)
    hung_up = asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait({task, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        hung_up.cancel()
        if task.cancel():
            await asyncio.wait({task})  # its place in the batch is free when this returns


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
