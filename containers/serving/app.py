"""All routes. Until the model is loaded, /ping answers 503 and so does everything else that needs it."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import Discriminator, Tag
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from containers.serving import openai_api, tgi_api
from containers.serving.errors import ApiError, Kind
from containers.serving.middleware import Accounting, BodyLimit
from containers.serving.service import Service
from containers.serving.settings import ServingSettings
from containers.serving.statistics import Statistics, prometheus_text

# SageMaker has one route for everything: TGI's form is told by its `inputs`.
Invocation = Annotated[
    Annotated[tgi_api.GenerateBody, Tag("tgi")] | Annotated[openai_api.ChatBody, Tag("openai")],
    Discriminator(lambda body: "tgi" if isinstance(body, dict) and "inputs" in body else "openai"),
]


def loaded(request: Request) -> Service:
    """The service. Raises ApiError while the model is being loaded, and when its thread has died."""
    service: Service | None = request.app.state.service
    if service is None:
        raise ApiError(Kind.NOT_READY, "the model is being loaded; try again in a while")
    if not service.engine.alive:
        raise ApiError(Kind.NOT_READY, "the engine has stopped; see the server's log and start it again")
    return service


Loaded = Annotated[Service, Depends(loaded)]


def create_app(settings: ServingSettings) -> FastAPI:
    """The application. `app.state.service` is None until the model is loaded."""
    app = FastAPI(title="finetune-flows model server", strict_content_type=False)
    app.state.service = None
    app.state.failed = False
    app.state.statistics = Statistics()
    app.add_middleware(BodyLimit)
    app.add_middleware(Accounting, statistics=app.state.statistics)  # added last, so it is the outer one
    app.exception_handler(ApiError)(_refused)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_no_such_route)
    app.exception_handler(ClientDisconnect)(_hung_up)
    app.exception_handler(Exception)(_failed)
    _add_state_routes(app, settings)
    _add_openai_routes(app)
    _add_tgi_routes(app)
    return app


def _add_state_routes(app: FastAPI, settings: ServingSettings) -> None:
    @app.get("/ping")
    @app.get("/health")
    async def ping(service: Loaded) -> Response:
        return Response()

    @app.get("/info")
    async def info(service: Loaded) -> dict[str, Any]:
        return tgi_api.info(service, settings)

    @app.get("/metrics")
    async def metrics(request: Request) -> PlainTextResponse:
        service: Service | None = request.app.state.service
        try:
            return PlainTextResponse(prometheus_text(request.app.state.statistics, service.engine if service else None))
        except ImportError as error:
            raise ApiError(Kind.NOT_FOUND, "no metrics: prometheus_client is not installed") from error


def _add_openai_routes(app: FastAPI) -> None:
    @app.post("/v1/chat/completions")
    async def chat(service: Loaded, body: openai_api.ChatBody, request: Request) -> Response:
        return await openai_api.chat(body, request, service)

    @app.get("/v1/models")
    async def models(service: Loaded) -> dict[str, Any]:
        return openai_api.models(service)

    @app.post("/tokenize")
    async def tokenize(service: Loaded, body: openai_api.TokenizeBody) -> dict[str, Any]:
        return await openai_api.tokenize(body, service)

    @app.post("/invocations")
    async def invocations(service: Loaded, body: Invocation, request: Request) -> Response:
        if isinstance(body, openai_api.ChatBody):
            return await openai_api.chat(body, request, service)
        request.state.record.dialect = "tgi"
        return await tgi_api.compatible(body, request, service)


def _add_tgi_routes(app: FastAPI) -> None:
    @app.post("/")
    async def compatible(service: Loaded, body: tgi_api.GenerateBody, request: Request) -> Response:
        return await tgi_api.compatible(body, request, service)

    @app.post("/generate")
    async def generate(service: Loaded, body: tgi_api.GenerateBody, request: Request) -> dict[str, Any]:
        return await tgi_api.generate(body, request, service)

    @app.post("/generate_stream")
    async def generate_stream(service: Loaded, body: tgi_api.GenerateBody, request: Request) -> Response:
        return await tgi_api.generate_stream(body, request, service)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    dialect = request.state.record.dialect
    headers = {"Retry-After": "1"} if error.kind in (Kind.OVERLOADED, Kind.NOT_READY) else None
    return JSONResponse(error.body(dialect), error.status(dialect), headers)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if request.url.path == "/invocations" and isinstance(error.body, dict) and "inputs" in error.body:
        request.state.record.dialect = "tgi"
    problems = [_problem(problem) for problem in error.errors()]
    message = "; ".join(f"{field}: {text}" for field, text in problems)
    return await _refused(request, ApiError(Kind.INVALID, message, field=problems[0][0]))


def _problem(problem: dict[str, Any]) -> tuple[str, str]:
    """The field, as a reader of the request would write it, and what is wrong with it."""
    context = problem.get("ctx", {})
    path = [str(part) for part in problem["loc"] if part not in ("body", "tgi", "openai")]
    if problem["type"] == "json_invalid":
        return "body", f"not JSON, at character {path[-1]}: {context['error']}"
    if not path and problem["type"] in ("missing", "model_attributes_type"):
        return "body", "send a JSON object, with Content-Type: application/json"
    field = ".".join([*path, *([context["field"]] if "field" in context else [])])
    return field or "body", problem["msg"]


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: Kind.NOT_FOUND, 405: Kind.WRONG_METHOD}.get(error.status_code, Kind.INVALID)
    where = f"{request.method} {request.url.path}"
    return await _refused(request, ApiError(kind, f"{where}: {error.detail}"))


async def _hung_up(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it but the access log


async def _failed(request: Request, error: Exception) -> Response:
    return await _refused(request, ApiError(Kind.FAILED, f"the server failed: {type(error).__name__}; see its log"))
