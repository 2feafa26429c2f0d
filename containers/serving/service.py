"""Computes the answers to a request: sends prompts to the engine and returns text. A disconnect or a timeout frees the place."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from finetune_flows.containers.serving.engine import (
    BadGrammar,
    Engine,
    GenerationFailed,
    QueueFull,
    Sampling,
    Stopping,
    Token,
)
from finetune_flows.containers.serving.errors import ApiError, Kind, invalid
from finetune_flows.containers.serving.grammar_check import GrammarCheck
from finetune_flows.containers.serving.prompts import Prompts
from finetune_flows.containers.serving.record import Record
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.text import AnswerText

Finish = Literal["length", "eos_token", "stop_sequence"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Job:
    """One request to the engine, independent of the API."""

    prompt: list[int]
    sampling: Sampling
    stops: tuple[str, ...] = ()
    shown: frozenset[str] = frozenset()  # special tokens that have a text in this answer
    grammar_field: str = "structured_outputs.grammar"  # the part of the request that the grammar comes from


@dataclass(frozen=True)
class Piece:
    """One token, and the text that is certain since this token."""

    token: Token
    text: str
    finish: Finish | None
    choice: int = 0  # the place of its job among the jobs of the request


class Pace:
    """How fast answers are finished, to estimate when a refused client should try again."""

    def __init__(self) -> None:
        self._ends: deque[float] = deque([time.monotonic()], maxlen=64)

    def finished(self) -> None:
        """Record the end of an answer."""
        self._ends.append(time.monotonic())

    def seconds_for(self, answers: int) -> float:
        """The time that this number of answers takes at the present pace, between 1 and 60 seconds."""
        seconds = time.monotonic() - self._ends[0]
        return min(max(answers * seconds / max(len(self._ends) - 1, 1), 1.0), 60.0)


@dataclass(frozen=True)
class Service:
    """The loaded model."""

    name: str
    engine: Engine
    prompts: Prompts
    settings: ServingSettings
    started: int  # seconds since 1970
    pace: Pace = field(default_factory=Pace)
    grammars: GrammarCheck = field(default_factory=GrammarCheck)

    async def stream(self, jobs: Sequence[Job], request: Request) -> AsyncGenerator[Piece]:
        """The answers, token by token. Returns with the first token, so that a refusal can still set the status."""
        pieces = self._pieces(jobs, request.state.record)
        first = await unless_disconnected(request, anext(pieces))
        return _chain(first, pieces)

    async def answers(self, jobs: Sequence[Job], request: Request) -> list[list[Piece]]:
        """The whole answer to each job."""

        async def collect() -> list[list[Piece]]:
            answers: list[list[Piece]] = [[] for _ in jobs]
            async with aclosing(self._pieces(jobs, request.state.record)) as pieces:
                async for piece in pieces:
                    answers[piece.choice].append(piece)
            return answers

        return await unless_disconnected(request, collect())

    async def _pieces(self, jobs: Sequence[Job], record: Record) -> AsyncGenerator[Piece]:
        """The pieces of all answers as they come. If one fails, all end: they are one request."""
        record.prompt_tokens = prompt_tokens(jobs)
        arrived: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        shown: list[list[str]] = [[] for _ in jobs]
        tasks = [asyncio.create_task(self._one(choice, job, record, arrived)) for choice, job in enumerate(jobs)]
        try:
            left = len(jobs)
            while left:
                item = await arrived.get()
                if isinstance(item, Exception):
                    raise item
                shown[item.choice].append(item.text)
                record.finish = item.finish or record.finish
                left -= item.finish is not None
                yield item
        except ApiError as error:
            record.error = error.kind.name.lower()
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)  # so that their places in the batch are free
            if not record.finish and not record.error:
                record.error = "cancelled"
            if self.settings.access_log == "texts":
                record.prompt = self.prompts.tokenizer.decode(jobs[0].prompt)
                record.answer = "\n".join(map("".join, shown))

    async def _one(self, choice: int, job: Job, record: Record, arrived: asyncio.Queue[Piece | Exception]) -> None:
        """Hand over the pieces of one answer, or the exception that ends it."""
        text = AnswerText(self.prompts.tokenizer.backend_tokenizer, job.stops, self.prompts.hidden(job.shown))
        try:
            async with aclosing(self._tokens(job, record)) as tokens:
                async for token in tokens:
                    piece = _piece(text, token, choice)
                    arrived.put_nowait(piece)
                    if piece.finish:
                        self.pace.finished()
                        return
        except Exception as error:
            arrived.put_nowait(error)

    async def _tokens(self, job: Job, record: Record) -> AsyncGenerator[Token]:
        """The engine's tokens, until the request's time limit. Raises ApiError."""
        try:
            if job.sampling.grammar:
                await self.grammars.check(job.sampling.grammar)
            async with aclosing(self.engine.generate(job.prompt, job.sampling)) as tokens:
                while True:
                    # The limit counts from the arrival of the request, so that it includes the wait in the queue.
                    async with asyncio.timeout(self.settings.request_seconds - record.age):
                        token = await anext(tokens)
                    self._note(token, record)
                    yield token
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            limit = f"the request was not finished after {self.settings.request_seconds:g} s (SERVING_REQUEST_SECONDS)"
            raise ApiError(Kind.TIMEOUT, limit) from error
        except BadGrammar as error:
            raise invalid(job.grammar_field, str(error)) from error
        except QueueFull as error:
            retry = self.pace.seconds_for(self.engine.waiting)
            raise ApiError(Kind.OVERLOADED, str(error), retry_after=retry) from error
        except Stopping as error:
            raise ApiError(Kind.NOT_READY, str(error), retry_after=5) from error
        except GenerationFailed as error:
            raise ApiError(Kind.FAILED, str(error)) from error

    def _note(self, token: Token, record: Record) -> None:
        record.completion_tokens += 1
        if record.first_token_seconds is None:
            record.first_token_seconds = record.age
            record.cached_tokens = token.cached
            record.batch_size = self.engine.running


def prompt_tokens(jobs: Sequence[Job]) -> int:
    """The tokens of all prompts. A prompt with several answers counts once."""
    return sum(len(prompt) for prompt in {id(job.prompt): job.prompt for job in jobs}.values())


async def _chain(first: Piece, rest: AsyncGenerator[Piece]) -> AsyncGenerator[Piece]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _piece(text: AnswerText, token: Token, choice: int) -> Piece:
    shown = text.add(token.id) if token.finish != "eos" else ""
    if token.finish and not text.stopped:
        shown += text.finish()
    if text.stopped:
        return Piece(token, shown, "stop_sequence", choice)
    return Piece(token, shown, "eos_token" if token.finish == "eos" else token.finish, choice)


async def unless_disconnected(request: Request, work: Awaitable[Result]) -> Result:
    """The result of `work`. If the client disconnects, cancels `work` and raises ClientDisconnect."""
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
            await asyncio.wait({task})  # so that its place in the batch is free when this function returns


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
