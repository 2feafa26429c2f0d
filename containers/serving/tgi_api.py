"""Answers the routes of Text Generation Inference (TGI)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from finetune_flows.containers.serving.errors import ApiError
from finetune_flows.containers.serving.service import Job, Piece, Service
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.tgi_bodies import (
    Details,
    GenerateBody,
    Generated,
    Info,
    StreamDetails,
    StreamEvent,
    TgiError,
    TgiToken,
)


async def job_of(body: GenerateBody, service: Service, logprobs: bool) -> Job:
    """The request to the engine. Raises ApiError when prompt and answer do not fit into the window."""
    parameters = body.parameters
    prompt = await service.prompts.text(body.inputs)
    if parameters.truncate:
        prompt = prompt[-parameters.truncate :]
    new_tokens = service.prompts.new_tokens(prompt, parameters.max_new_tokens, "parameters.max_new_tokens")
    return Job(prompt, parameters.sampling(new_tokens, logprobs), parameters.stop, grammar_field="parameters.grammar")


async def generate(body: GenerateBody, request: Request, service: Service) -> Generated:
    """The answer, and its tokens if `details` is set."""
    job = await job_of(body, service, logprobs=body.parameters.details)
    (pieces,) = await service.answers([job], request)
    if not body.parameters.details:
        return Generated(generated_text=_text(body, pieces))
    tokens = [_token(piece, service) for piece in pieces]
    details = Details(**_ending(job, pieces).model_dump(), prefill=[], tokens=tokens)
    return Generated(generated_text=_text(body, pieces), details=details)


async def generate_stream(body: GenerateBody, request: Request, service: Service) -> Response:
    """One event per token. The last event contains the whole text."""
    job = await job_of(body, service, logprobs=True)
    events = _events(body, job, await service.stream([job], request), service)
    return StreamingResponse(events, media_type="text/event-stream")


async def compatible(body: GenerateBody, request: Request, service: Service) -> Response:
    """TGI's POST /: a stream, or a list with one answer."""
    if body.stream:
        return await generate_stream(body, request, service)
    return JSONResponse([(await generate(body, request, service)).model_dump(exclude_unset=True)])


def info(service: Service, settings: ServingSettings) -> Info:
    """GET /info: the model and the limits of this server."""
    return Info(
        model_id=service.name,
        engine=service.engine.description,
        max_batch_size=settings.max_batch_size,
        max_concurrent_requests=settings.max_batch_size + settings.max_queue,
        max_total_tokens=service.prompts.window,
    )


async def _events(body: GenerateBody, job: Job, pieces: AsyncGenerator[Piece], service: Service) -> AsyncIterator[str]:
    so_far: list[Piece] = []
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                so_far.append(piece)
                event = StreamEvent(index=len(so_far), token=_token(piece, service))
                if piece.finish:
                    event.generated_text, event.details = _text(body, so_far), _ending(job, so_far)
                yield _sent(event)
    except ApiError as error:  # the status is already sent, so the error becomes an event
        yield _sent(TgiError.model_validate(error.body("tgi")))


def _text(body: GenerateBody, pieces: list[Piece]) -> str:
    text = "".join(piece.text for piece in pieces)
    return body.inputs + text if body.parameters.return_full_text else text


def _token(piece: Piece, service: Service) -> TgiToken:
    # Clients drop the text of special tokens. A special token that releases text held back must not count as one.
    special = piece.token.id in service.prompts.special_tokens and not piece.text
    return TgiToken(id=piece.token.id, text=piece.text, logprob=piece.token.logprob, special=special)


def _ending(job: Job, pieces: list[Piece]) -> StreamDetails:
    seed = job.sampling.seed if job.sampling.temperature else None
    return StreamDetails(finish_reason=pieces[-1].finish or "length", generated_tokens=len(pieces), seed=seed)


def _sent(content: BaseModel) -> str:
    return f"data:{content.model_dump_json(ensure_ascii=True)}\n\n"
