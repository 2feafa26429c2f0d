"""Wraps every request: limits its body, and counts, times and logs it."""

import asyncio
import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finetune_flows.containers.serving.errors import ApiError, Kind
from finetune_flows.containers.serving.metrics import Metrics
from finetune_flows.containers.serving.record import Record, log

MAX_BODY = 6_291_456  # bytes; SageMaker's own limit for a real-time endpoint
TGI_ROUTES = {"/", "/generate", "/generate_stream", "/info"}
WATCHING = {"/ping", "/health", "/metrics"}  # requested every few seconds, and not worth a log line each
REQUEST_ID = re.compile(r"[\w.:-]{1,128}")


class Accounting:
    """Gives each request a record and an id, and counts and logs it at the end."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log_requests: bool) -> None:
        self.app = app
        self.metrics = metrics
        self.log_requests = log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and record its result."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = Record(_id(scope), scope["method"], "tgi" if scope["path"] in TGI_ROUTES else "openai")
        scope.setdefault("state", {})["record"] = record
        scope["app"].state.under_way += (busy := scope["path"] not in WATCHING)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = record.id
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            record.status = 500
            raise
        finally:
            scope["app"].state.under_way -= busy
            self._note(scope, record)

    def _note(self, scope: Scope, record: Record) -> None:
        # The path of the route, not of the request: otherwise clients could create any number of counters.
        record.route = getattr(scope.get("route"), "path", "other")
        record.seconds = record.age
        self.metrics.count(record)
        if self.log_requests and scope["path"] not in WATCHING:
            log.info(record.line())


def _id(scope: Scope) -> str:
    """The client's id for this request if it is harmless, otherwise a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class BodyLimit:
    """Reads the body before anything else happens, and refuses one that is too large or takes too long."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, or answer with status 413 or 408."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.seconds):
                body = await _read(receive)
        except ClientDisconnect:
            return
        except TimeoutError:
            message = f"the request's body did not arrive within {self.seconds:g} s (SERVING_REQUEST_SECONDS)"
            await _refuse(ApiError(Kind.TOO_SLOW, message), scope, receive, send)
            return
        if len(body) > MAX_BODY:
            message = f"the request's body is larger than {MAX_BODY} bytes"
            await _refuse(ApiError(Kind.TOO_LARGE, message), scope, receive, send)
            return
        await self.app(scope, _replay(bytes(body), receive), send)


async def _read(receive: Receive) -> bytearray:
    """The body, cut to MAX_BODY + 1 bytes if it is too large. Raises ClientDisconnect."""
    body, size = bytearray(), 0
    # Read and drop the rest of a body that is too large, up to a limit: a client that is still sending would not see the answer.
    while size <= 8 * MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        body += part[: MAX_BODY + 1 - len(body)]
        if not message.get("more_body", False):
            break
    return body


async def _refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    record = scope["state"]["record"]
    record.error = error.kind.name.lower()
    answer = JSONResponse(error.body(record.dialect), error.status(record.dialect), {"Connection": "close"})
    await answer(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body in one piece, and then the real messages, such as the client's disconnect."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
