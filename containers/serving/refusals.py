"""Turns exceptions into error answers, in the format of the API that was called."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from finetune_flows.containers.serving.errors import ApiError, Kind
from finetune_flows.containers.serving.openai_bodies import UNION_TAGS

# A body can be wrong in a million places, and an answer about all of them would keep the server busy for minutes.
MOST_PROBLEMS = 5
LONGEST_NAME = 100  # characters of a field's name
LONGEST_PROBLEM = 500
TAGS = {"body", "tgi", "openai", "a mode", "a tool", *UNION_TAGS}  # parts of a path that are not in the request


def add_refusals(app: FastAPI) -> None:
    """Add a handler for every exception that can reach the application."""
    app.exception_handler(ApiError)(_refused)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_no_such_route)
    app.exception_handler(ClientDisconnect)(_hung_up)
    app.exception_handler(Exception)(_failed)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    record = request.state.record
    record.error = error.kind.name.lower()
    return JSONResponse(error.body(record.dialect), error.status(record.dialect), error.headers)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if request.url.path == "/invocations" and isinstance(error.body, dict) and "inputs" in error.body:
        request.state.record.dialect = "tgi"
    problems = [_problem(problem) for problem in error.errors()[:MOST_PROBLEMS]]
    message = "; ".join(f"{field}: {text}" for field, text in problems)
    if len(error.errors()) > MOST_PROBLEMS:
        message += f"; and {len(error.errors()) - MOST_PROBLEMS} more"
    return await _refused(request, ApiError(Kind.INVALID, message, field=problems[0][0]))


def _problem(problem: dict[str, Any]) -> tuple[str, str]:
    """The field, as in the request, and its problem."""
    context = problem.get("ctx", {})
    path = [str(part)[:LONGEST_NAME] for part in problem["loc"] if part not in TAGS]
    if problem["type"] == "json_invalid":
        return "body", f"not JSON, at character {path[-1]}: {context['error']}"
    if not path and problem["type"] in ("missing", "model_attributes_type"):
        return "body", "send a JSON object, with Content-Type: application/json"
    field = ".".join([*path, *([context["field"]] if "field" in context else [])])
    return field or "body", problem["msg"][:LONGEST_PROBLEM]


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: Kind.NOT_FOUND, 405: Kind.WRONG_METHOD}.get(error.status_code, Kind.INVALID)
    where = f"{request.method} {request.url.path}"
    return await _refused(request, ApiError(kind, f"{where}: {error.detail}"))


async def _hung_up(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # only the access log reads it


async def _failed(request: Request, error: Exception) -> Response:
    return await _refused(
        request, ApiError(Kind.FAILED, f"the server failed: {type(error).__name__}; read its log for the cause")
    )
