"""The routes of Text Generation Inference (TGI), as its Python client and the SageMaker examples call them.

Left out, and refused when asked for: best_of, grammars, watermarks, adapters, prompt details, top_n_tokens, typical_p and
frequency penalties. Unlike TGI, the stop string is not part of the answer.
"""

import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, ClassVar

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from containers.serving.bodies import Body, NewTokens, RepetitionPenalty, Seed, Stops, Temperature, Text, TopK, TopP
from containers.serving.engine import Sampling
from containers.serving.errors import ApiError
from containers.serving.service import Job, Piece, Service
from containers.serving.settings import ServingSettings


class Parameters(Body):
    """How the answer is drawn. Greedy, unless do_sample or one of the sampling values is given."""

    unsupported: ClassVar = {
        "best_of": (1,), "frequency_penalty": (0,), "typical_p": (1,), "watermark": (False,), "grammar": (),
        "decoder_input_details": (False,), "top_n_tokens": (0,), "adapter_id": (),
    }  # fmt: skip

    do_sample: bool = False
    max_new_tokens: NewTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    repetition_penalty: RepetitionPenalty = 1.0
    seed: Seed | None = None
    stop: Stops = ()
    truncate: Annotated[int, Field(ge=1)] | None = None  # keep so many tokens of the prompt's end
    return_full_text: bool = False
    details: bool = False

    def sampling(self, new_tokens: int) -> Sampling:
        """How the answer is drawn."""
        drawn = self.do_sample or any(value is not None for value in (self.temperature, self.top_p, self.top_k))
        return Sampling(
            max_new_tokens=new_tokens,
            temperature=0.0 if not drawn else 1.0 if self.temperature is None else self.temperature,
            top_p=self.top_p or 1.0,
            top_k=self.top_k or 0,
            repetition_penalty=self.repetition_penalty,
            seed=secrets.randbits(62) if self.seed is None else self.seed,
        )


class GenerateBody(Body):
    """POST /, /generate, /generate_stream, and /invocations in TGI's form."""

    inputs: Annotated[Text, Field(min_length=1)]
    parameters: Parameters = Parameters()
    stream: bool = False
    model: str | None = None


async def job_of(body: GenerateBody, service: Service) -> Job:
    """The prompt in tokens, and what is asked for. Raises ApiError when it does not fit into the window."""
    parameters = body.parameters
    prompt = await service.prompts.text(body.inputs)
    if parameters.truncate:
        prompt = prompt[-parameters.truncate :]
    new_tokens = service.prompts.new_tokens(prompt, parameters.max_new_tokens, "parameters.max_new_tokens")
    return Job(prompt, parameters.sampling(new_tokens), parameters.stop)


async def generate(body: GenerateBody, request: Request, service: Service) -> dict[str, Any]:
    """The answer, and with `details` its tokens."""
    job = await job_of(body, service)
    pieces = await service.answer(job, request)
    reply: dict[str, Any] = {"generated_text": _text(body, pieces)}
    if body.parameters.details:
        tokens = [_token(piece, service) for piece in pieces]
        reply["details"] = {**_details(job, pieces), "prefill": [], "tokens": tokens}
    return reply


async def generate_stream(body: GenerateBody, request: Request, service: Service) -> Response:
    """One event for each token; the last one carries the whole text."""
    job = await job_of(body, service)
    events = _events(body, job, await service.stream(job, request), service)
    return StreamingResponse(events, media_type="text/event-stream")


async def compatible(body: GenerateBody, request: Request, service: Service) -> Response:
    """TGI's POST /: a stream, or a list of one answer."""
    if body.stream:
        return await generate_stream(body, request, service)
    return JSONResponse([await generate(body, request, service)])


def info(service: Service, settings: ServingSettings) -> dict[str, Any]:
    """GET /info."""
    return {
        "model_id": service.name,
        "engine": service.engine.description,
        "max_batch_size": settings.max_batch_size,
        "max_concurrent_requests": settings.max_batch_size + settings.max_queue,
        "max_best_of": 1,
        "max_total_tokens": service.prompts.window,
    }


async def _events(body: GenerateBody, job: Job, pieces: AsyncGenerator[Piece], service: Service) -> AsyncIterator[str]:
    so_far: list[Piece] = []
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                so_far.append(piece)
                event = {"index": len(so_far), "token": _token(piece, service), "generated_text": None, "details": None}
                if piece.finish:
                    event |= {"generated_text": _text(body, so_far), "details": _details(job, so_far)}
                yield f"data:{json.dumps(event)}\n\n"
    except ApiError as error:  # the status is already sent
        yield f"data:{json.dumps(error.body('tgi'))}\n\n"


def _text(body: GenerateBody, pieces: list[Piece]) -> str:
    text = "".join(piece.text for piece in pieces)
    return body.inputs + text if body.parameters.return_full_text else text


def _token(piece: Piece, service: Service) -> dict[str, Any]:
    # Clients drop the text of special tokens, which must not happen to text that was held back until now.
    special = piece.token.id in service.prompts.special_tokens and not piece.text
    return {"id": piece.token.id, "text": piece.text, "logprob": piece.token.logprob, "special": special}


def _details(job: Job, pieces: list[Piece]) -> dict[str, Any]:
    seed = job.sampling.seed if job.sampling.temperature else None
    return {"finish_reason": pieces[-1].finish, "generated_tokens": len(pieces), "seed": seed}
