"""All routes. Before the model is loaded and after SIGTERM, /ping and all routes that need the model answer 503."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from pydantic import Discriminator, Tag
from pydantic.json_schema import models_json_schema

from finetune_flows.containers.serving import openai_api, tgi_api
from finetune_flows.containers.serving.classification import Classification, Classified, ClassifyBody
from finetune_flows.containers.serving.errors import ApiError, Kind
from finetune_flows.containers.serving.metrics import Metrics
from finetune_flows.containers.serving.middleware import Accounting, BodyLimit
from finetune_flows.containers.serving.openai_bodies import ChatBody, CompletionBody, TokenizeBody
from finetune_flows.containers.serving.openai_replies import (
    ChatCompletion,
    ChatCompletionChunk,
    ModelCard,
    ModelList,
    OpenAIError,
    TextCompletion,
    TokenIds,
)
from finetune_flows.containers.serving.refusals import add_refusals
from finetune_flows.containers.serving.service import Service
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.tgi_bodies import GenerateBody, Generated, Info, StreamEvent, TgiError

# SageMaker has one route for everything. Only TGI's requests have `inputs`.
Invocation = Annotated[
    Annotated[GenerateBody, Tag("tgi")] | Annotated[ChatBody, Tag("openai")],
    Discriminator(lambda body: "tgi" if isinstance(body, dict) and "inputs" in body else "openai"),
]


# Answers as /openapi.json describes them.
Documented = dict[int | str, dict[str, Any]]
OPENAI_ERRORS: Documented = {"4XX": {"model": OpenAIError}, "5XX": {"model": OpenAIError}}
TGI_ERRORS: Documented = {"4XX": {"model": TgiError}, "5XX": {"model": TgiError}}
BOTH_ERRORS: Documented = {"4XX": {"model": OpenAIError | TgiError}, "5XX": {"model": OpenAIError | TgiError}}


def loaded(request: Request) -> Any:
    """The service. Raises ApiError while the model is being loaded, after the engine has died, and during shutdown."""
    service: Service | Classification | None = request.app.state.service
    if request.app.state.stopping:
        stopping = ApiError(Kind.NOT_READY, "the server is shutting down", retry_after=5)
        # The client must open a new connection for its next attempt, which may then reach another server.
        stopping.headers["Connection"] = "close"
        raise stopping
    if service is None:
        raise ApiError(Kind.NOT_READY, "the model is being loaded; try again in a few seconds", retry_after=5)
    if not service.engine.alive:
        raise ApiError(
            Kind.NOT_READY, "the engine has stopped; read the server's log, then restart the server", retry_after=60
        )
    return service


Loaded = Annotated[Service, Depends(loaded)]
LoadedClassifier = Annotated[Classification, Depends(loaded)]


def create_app(settings: ServingSettings, classifies: bool = False) -> FastAPI:
    """The application. `app.state.service` is None until `serve` is called with the loaded model.

    If the model `classifies`, /invocations takes classification requests and there are no routes that generate text.
    """
    app = Application(title="finetune-flows model server", version="1", strict_content_type=False)
    app.state.service = None
    app.state.failed = False
    app.state.stopping = False
    app.state.under_way = 0  # requests, without health checks and metrics
    app.state.metrics = Metrics()
    app.add_middleware(BodyLimit, seconds=settings.request_seconds)
    # The middleware added last is the outermost, so that it also counts requests that BodyLimit refuses.
    app.add_middleware(Accounting, metrics=app.state.metrics, log_requests=settings.access_log != "off")
    add_refusals(app)
    _add_state_routes(app)
    if classifies:
        _add_classifier_routes(app)
    else:
        _add_openai_routes(app)
        _add_tgi_routes(app, settings)
    return app


def serve(app: FastAPI, service: Service | Classification) -> None:
    """Answer requests with this model from now on."""
    app.state.metrics.watch(service.engine)
    app.state.service = service


class Application(FastAPI):
    """Adds the events of streams to /openapi.json, because FastAPI cannot describe them."""

    def openapi(self) -> dict[str, Any]:
        """The document at /openapi.json."""
        document = super().openapi()
        events = [(ChatCompletionChunk, "serialization"), (StreamEvent, "serialization")]
        _, schemas = models_json_schema(events, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
        document["components"]["schemas"] |= schemas["$defs"]
        return document


def _answers(whole: Any, event: Any, errors: Documented) -> Documented:
    """The documentation of a route that answers in one piece or, with `stream`, in events."""
    schema = {"schema": {"$ref": f"#/components/schemas/{event.__name__}"}}
    return {200: {"model": whole, "content": {"text/event-stream": schema}}, **errors}


def _add_state_routes(app: FastAPI) -> None:
    @app.get("/ping", responses=OPENAI_ERRORS)
    @app.get("/health", responses=OPENAI_ERRORS)
    async def ping(service: Loaded) -> Response:
        return Response()

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(app.state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_openai_routes(app: FastAPI) -> None:
    @app.post("/v1/chat/completions", responses=_answers(ChatCompletion, ChatCompletionChunk, OPENAI_ERRORS))
    async def chat(service: Loaded, body: ChatBody, request: Request) -> Response:
        return await openai_api.chat(body, request, service)

    @app.post("/v1/completions", responses=_answers(TextCompletion, TextCompletion, OPENAI_ERRORS))
    async def complete(service: Loaded, body: CompletionBody, request: Request) -> Response:
        return await openai_api.complete(body, request, service)

    @app.get("/v1/models", responses=OPENAI_ERRORS)
    async def models(service: Loaded) -> ModelList:
        return openai_api.models(service)

    @app.get("/v1/models/{name:path}", responses=OPENAI_ERRORS)
    async def model(service: Loaded, name: str) -> ModelCard:
        return openai_api.model(name, service)

    @app.post("/tokenize", responses=OPENAI_ERRORS)
    async def tokenize(service: Loaded, body: TokenizeBody) -> TokenIds:
        return await openai_api.tokenize(body, service)

    @app.post("/invocations", responses=_answers(ChatCompletion | list[Generated], ChatCompletionChunk, BOTH_ERRORS))
    async def invocations(service: Loaded, body: Invocation, request: Request) -> Response:
        if isinstance(body, ChatBody):
            return await openai_api.chat(body, request, service)
        request.state.record.dialect = "tgi"
        return await tgi_api.compatible(body, request, service)


def _add_classifier_routes(app: FastAPI) -> None:
    @app.post("/invocations", responses=TGI_ERRORS)
    async def classify(service: LoadedClassifier, body: ClassifyBody, request: Request) -> Classified:
        request.state.record.dialect = "tgi"
        return await service.answer(body, request)


def _add_tgi_routes(app: FastAPI, settings: ServingSettings) -> None:
    @app.get("/info", responses=TGI_ERRORS)
    async def info(service: Loaded) -> Info:
        return tgi_api.info(service, settings)

    @app.post("/", responses=_answers(list[Generated], StreamEvent, TGI_ERRORS))
    async def compatible(service: Loaded, body: GenerateBody, request: Request) -> Response:
        return await tgi_api.compatible(body, request, service)

    @app.post("/generate", responses=TGI_ERRORS, response_model_exclude_unset=True)
    async def generate(service: Loaded, body: GenerateBody, request: Request) -> Generated:
        return await tgi_api.generate(body, request, service)

    @app.post("/generate_stream", responses=_answers(StreamEvent, StreamEvent, TGI_ERRORS))
    async def generate_stream(service: Loaded, body: GenerateBody, request: Request) -> Response:
        return await tgi_api.generate_stream(body, request, service)
