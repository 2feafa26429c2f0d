"""Transports for httpx that send requests to a SageMaker endpoint: by InvokeEndpoint, signed with the caller's credentials.

The URL of an endpoint is `sagemaker://[profile@]region/endpoint`. SageMaker has only one path, /invocations; there every
engine accepts the bodies of its other paths, OpenAI's chat body above all. If SageMaker wraps an error of the container,
the transport restores the container's own status and body.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.platforms.sagemaker.queueing import Queue, queue_of
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

_NOT_THERE = "/tokenize"  # no engine accepts its body at /invocations
# AWS's names for errors that pass by themselves, and the usual HTTP status for each.
_STATUS = {"ThrottlingException": 429, "ModelNotReadyException": 503, "ServiceUnavailable": 503, "InternalFailure": 503}


@dataclass(frozen=True)
class SageMakerConnection:
    """Implements `connect.Connection`: directly to the endpoint, or through its queue if it is asynchronous."""

    url: str

    def client(self, timeout: float | httpx.Timeout) -> httpx.Client:
        """See `Connection`."""
        clients, endpoint = self._target()
        queue = queue_of(clients, endpoint)
        transport = QueueSync(queue) if queue else InvokeEndpointSync(_Signing(clients, endpoint))
        return httpx.Client(base_url=self.url, timeout=timeout, transport=transport)

    def async_client(self, timeout: float | httpx.Timeout, connections: int) -> httpx.AsyncClient:
        """See `Connection`."""
        clients, endpoint = self._target()
        queue = queue_of(clients, endpoint)
        transport = (
            QueueAsync(queue, connections) if queue else InvokeEndpoint(_Signing(clients, endpoint), connections)
        )
        return httpx.AsyncClient(base_url=self.url, timeout=timeout, transport=transport)

    def _target(self) -> tuple[Clients, str]:
        parts = urlsplit(self.url)
        return Clients(SageMakerPlatform(region=parts.hostname, profile=parts.username)), parts.path.strip("/")


def url_of(region: str, profile: str | None, endpoint: str) -> str:
    """The URL of an endpoint, which `SageMakerConnection` reads."""
    user = f"{profile}@" if profile else ""
    return f"sagemaker://{user}{region}/{endpoint}"


def _refused(request: httpx.Request) -> httpx.Response | None:
    """The answer to a request that SageMaker cannot pass on to the container; None if it can."""
    if request.method == "POST" and not request.url.path.endswith(_NOT_THERE):
        return None
    problem = f"SageMaker passes only /invocations on to the container, not {request.method} {request.url.path}"
    return httpx.Response(404, json={"error": problem}, request=request)


class _Signing:
    """Turns requests into InvokeEndpoint requests, and the responses back into the container's."""

    def __init__(self, clients: Clients, endpoint: str) -> None:
        self.clients, self.endpoint = clients, endpoint

    def outgoing(self, request: httpx.Request) -> httpx.Request:
        """The signed request."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        with aws_errors(f"asking endpoint {self.endpoint}"):
            runtime = self.clients.client("sagemaker-runtime")
            address = f"{runtime.meta.endpoint_url}/endpoints/{self.endpoint}/invocations"
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            signed = AWSRequest("POST", address, headers=headers, data=request.content)
            credentials = self.clients.credentials.get_frozen_credentials()
            SigV4Auth(credentials, "sagemaker", self.clients.region).add_auth(signed)
        return httpx.Request(
            "POST", address, headers=dict(signed.headers), content=request.content, extensions=request.extensions
        )

    def incoming(self, response: httpx.Response, request: httpx.Request) -> httpx.Response:
        """The container's response. An error of AWS itself becomes the usual HTTP status for it."""
        status, body = response.status_code, response.content
        if status != 200:
            error = _json_object(body)
            kind = response.headers.get("x-amzn-ErrorType", "").split(":")[0] or str(error.get("__type", ""))
            if kind == "ModelError" or "OriginalStatusCode" in error:
                status = int(error.get("OriginalStatusCode", status))
                body = str(error.get("OriginalMessage", response.text)).encode()
            else:
                status = _STATUS.get(kind, status)
        return httpx.Response(status, headers={"Content-Type": "application/json"}, content=body, request=request)


class InvokeEndpoint(httpx.AsyncBaseTransport):
    """The transport for concurrent requests."""

    def __init__(self, signing: _Signing, connections: int) -> None:
        self.signing = signing
        self.http = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=connections))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by the client."""
        await request.aread()
        refused = _refused(request)
        if refused is not None:
            return refused
        response = await self.http.handle_async_request(self.signing.outgoing(request))
        await response.aread()
        return self.signing.incoming(response, request)

    async def aclose(self) -> None:
        """Called by the client."""
        await self.http.aclose()


class InvokeEndpointSync(httpx.BaseTransport):
    """The transport for requests one at a time."""

    def __init__(self, signing: _Signing) -> None:
        self.signing = signing
        self.http = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by the client."""
        request.read()
        refused = _refused(request)
        if refused is not None:
            return refused
        response = self.http.handle_request(self.signing.outgoing(request))
        response.read()
        return self.signing.incoming(response, request)

    def close(self) -> None:
        """Called by the client."""
        self.http.close()


class QueueAsync(httpx.AsyncBaseTransport):
    """The transport for concurrent requests to an asynchronous endpoint: one thread waits for each answer."""

    def __init__(self, queue: Queue, connections: int) -> None:
        self.queue, self.threads = queue, ThreadPoolExecutor(connections, thread_name_prefix="question")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by the client."""
        await request.aread()
        refused = _refused(request)
        if refused is not None:
            return refused
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.queue.ask, request)

    async def aclose(self) -> None:
        """Called by the client."""
        self.threads.shutdown(wait=False, cancel_futures=True)


class QueueSync(httpx.BaseTransport):
    """The transport for requests one at a time to an asynchronous endpoint."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by the client."""
        request.read()
        return _refused(request) or self.queue.ask(request)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
