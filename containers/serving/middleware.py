"""What happens around every request: its body is limited, and it is counted, timed and, if wanted, logged."""

import logging
import time
from dataclasses import dataclass

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from containers.serving.errors import ApiError, Dialect, Kind
from containers.serving.statistics import Statistics

MAX_BODY = 6_291_456  # bytes: SageMaker's own limit for a real-time endpoint
TGI_ROUTES = {"/", "/generate", "/generate_stream", "/info"}
access = logging.getLogger("serving.access")


@dataclass
class Record:
    """What is known of a request; the routes fill it in."""

    dialect: Dialect
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Accounting:
    """Gives each request its record, and counts and logs it at the end."""

    def __init__(self, app: ASGIApp, statistics: Statistics) -> None:
        self.app = app
        self.statistics = statistics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = Record("tgi" if scope["path"] in TGI_ROUTES else "openai")
        scope.setdefault("state", {})["record"] = record
        started, status = time.monotonic(), 499  # 499: the client hung up before there was an answer

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            status = 500
            raise
        finally:
            self._note(scope, status, time.monotonic() - started, record)

    def _note(self, scope: Scope, status: int, seconds: float, record: Record) -> None:
        # The route's own path, not the one asked for: otherwise anybody could make up new counters.
        path = getattr(scope.get("route"), "path", "other")
        self.statistics.count(path, status, seconds, record.prompt_tokens, record.completion_tokens)
        access.info(
            "method=%s path=%s status=%d seconds=%.3f prompt_tokens=%d completion_tokens=%d",
            scope["method"], path, status, seconds, record.prompt_tokens, record.completion_tokens,
        )  # fmt: skip


class BodyLimit:
    """Reads the body before anything else happens, and refuses one that is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, or answer with status 413."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self.app(scope, receive, send)
            return
        body, size = bytearray(), 0
        # The rest of a body that is too large is read and dropped: a client that is still sending would not see the
        # answer. There is an end to that, too.
        while size <= 8 * MAX_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            if size <= MAX_BODY:
                body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        if size > MAX_BODY:
            refusal = ApiError(Kind.TOO_LARGE, f"the request's body is larger than {MAX_BODY} bytes")
            dialect = scope["state"]["record"].dialect
            response = JSONResponse(refusal.body(dialect), refusal.status(dialect), {"Connection": "close"})
            await response(scope, receive, send)
            return
        await self.app(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one piece, and then whatever really comes: the client hanging up."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
