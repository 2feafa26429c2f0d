"""The lasting address for clients: forwards every request to the current endpoint and its answer back, streams included.

`python forwarder.py FOLDER PORT`. FOLDER/alias.json is replaced atomically and checked for
every request, so a switch needs no restart. GET /.alias returns the target and the number of requests in progress to each
endpoint: once none is in progress to the earlier target, that one can be stopped without losing an answer.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import httpx
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

# These belong to one connection, not to the message (RFC 9110, section 7.6.1).
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split()
)
_CONNECT_SECONDS = 10.0
_BODY_SECONDS = 60.0
_MAX_BODY = 32 << 20  # bytes


class Forwarder:
    """An ASGI application."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "alias.json"
        self.read: tuple[int, int] | None = None
        self.target = ""
        self.under_way: Counter[str] = Counter()
        # One connection for each request: the endpoint may close a kept one at the moment it is used again.
        # No time limit for answers, because the endpoint has its own.
        self.client = httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, from its arrival to the last byte of its answer."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/.alias":
            await JSONResponse({"target": self._target(), "under_way": +self.under_way})(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await _body(request)  # before the target is chosen: a slow sender must not hold an earlier target
        except _Refused as refused:
            await refused.response(scope, receive, send)
            return
        except ClientDisconnect:
            return
        with self._to_target() as target:  # nothing is awaited between reading the target and counting the request
            await self._forward(target, request, body, send)

    async def _forward(self, target: str, request: Request, body: bytes, send: Send) -> None:
        """Sends the endpoint's answer. If the client disconnects first, closes the connection to the endpoint too."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, request, tasks.cancel_scope)
            try:
                await self._answer(target, request, body, noting)
            except httpx.TransportError as error:
                if begun:  # the client must see that its answer is incomplete: the server closes the connection
                    raise
                await _unreachable(error)(request.scope, request.receive, send)
            tasks.cancel_scope.cancel()

    async def _answer(self, target: str, request: Request, body: bytes, send: Send) -> None:
        headers = [(name, value) for name, value in request.headers.raw if name not in _HOP_BY_HOP | {b"host"}]
        url = httpx.URL(target, raw_path=_raw_path(request.scope))
        async with self.client.stream(request.method, url, headers=headers, content=body) as answer:
            response = StreamingResponse(answer.aiter_raw(), answer.status_code)
            response.raw_headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _HOP_BY_HOP]
            await response(request.scope, request.receive, send)

    def _target(self) -> str:
        # A file that was damaged or deleted by hand must cost no request: the last target that was read stays valid.
        with suppress(OSError, ValueError, LookupError, TypeError):
            status = self.file.stat()
            if self.read != (status.st_ino, status.st_mtime_ns):
                self.target = str(json.loads(self.file.read_text(encoding="utf-8"))["target"])
                self.read = (status.st_ino, status.st_mtime_ns)
        return self.target

    @contextmanager
    def _to_target(self) -> Iterator[str]:
        target = self._target()
        self.under_way[target] += 1
        try:
            yield target
        finally:
            self.under_way[target] -= 1


class _Refused(Exception):
    """The request is not forwarded."""

    def __init__(self, code: int, message: str, kind: str) -> None:
        self.response = JSONResponse({"error": {"message": message, "type": kind, "code": code}}, code)


async def _body(request: Request) -> bytes:
    """The request's body. Raises _Refused when it is too large or comes too slowly."""
    parts: list[bytes] = []
    size = announced = int(request.headers.get("content-length") or 0)
    try:
        with anyio.fail_after(_BODY_SECONDS):
            if announced <= _MAX_BODY:
                size = 0
                async for part in request.stream():
                    parts.append(part)
                    size += len(part)
                    if size > _MAX_BODY:
                        break
    except TimeoutError:
        raise _Refused(408, f"the body did not arrive within {_BODY_SECONDS:.0f} seconds", "request_timeout") from None
    if size > _MAX_BODY:
        raise _Refused(413, f"the body has more than {_MAX_BODY >> 20} MiB", "request_too_large")
    return b"".join(parts)


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _raw_path(scope: Scope) -> bytes:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _unreachable(error: httpx.TransportError) -> Response:
    message = f"the current endpoint did not answer ({error or type(error).__name__}); try again later"
    code = (
        503 if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else 502
    )  # 502: it may have been worked on
    body = {"error": {"message": message, "type": "service_unavailable", "code": code}}
    return JSONResponse(body, code, {"Retry-After": "5"})


if __name__ == "__main__":
    uvicorn.run(
        Forwarder(Path(sys.argv[1])),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
    )
