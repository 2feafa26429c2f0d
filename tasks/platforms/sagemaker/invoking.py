"""httpx transports that ask a SageMaker endpoint: the body goes to InvokeEndpoint, signed with the caller's credentials.

An URL `sagemaker://[profile@]region/endpoint` names it. SageMaker knows one path only, /invocations, and every engine
takes there what it takes at its other paths, OpenAI's chat body above all. What SageMaker says for the container is turned back into the container's own status.
"""

import json
from typing import Any
from urllib.parse import SplitResult

import httpx

from tasks.platforms.sagemaker.clients import Clients
from tasks.platforms.sagemaker.errors import aws_errors
from tasks.recipe.sagemaker import SageMakerPlatform

_NOT_THERE = "/tokenize"  # no engine takes its body at /invocations
# AWS's names for what passes, as the status that everybody understands.
_STATUS = {"ThrottlingException": 429, "ModelNotReadyException": 503, "ServiceUnavailable": 503, "InternalFailure": 503}


class _Signing:
    """Turns requests into InvokeEndpoint's, and its responses into the container's."""

    def __init__(self, url: SplitResult) -> None:
        section = SageMakerPlatform(region=url.hostname, profile=url.username)
        self.clients = Clients(section)
        self.endpoint = url.path.strip("/")

    def outgoing(self, request: httpx.Request) -> httpx.Request | None:
        """The signed request; None for a path that SageMaker does not hand on."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        if request.method != "POST" or request.url.path.endswith(_NOT_THERE):
            return None
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
        """A read response. Of an error of the container its own status and body, of one of AWS a status that fits."""
        status, body = response.status_code, response.content
        if status != 200:
            told = _told(body)
            kind = response.headers.get("x-amzn-ErrorType", "").split(":")[0] or str(told.get("__type", ""))
            if kind == "ModelError" or "OriginalStatusCode" in told:
                status = int(told.get("OriginalStatusCode", status))
                body = str(told.get("OriginalMessage", response.text)).encode()
            else:
                status = _STATUS.get(kind, status)
        return httpx.Response(status, headers={"Content-Type": "application/json"}, content=body, request=request)

    def refusal(self, request: httpx.Request) -> httpx.Response:
        """What a path gets that is not handed on."""
        return httpx.Response(404, json={"error": f"SageMaker does not hand on {request.url.path}"}, request=request)


class InvokeEndpoint(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient`."""

    def __init__(self, url: SplitResult, limits: httpx.Limits) -> None:
        self.signing = _Signing(url)
        self.http = httpx.AsyncHTTPTransport(limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by the client."""
        await request.aread()
        outgoing = self.signing.outgoing(request)
        if outgoing is None:
            return self.signing.refusal(request)
        response = await self.http.handle_async_request(outgoing)
        await response.aread()
        return self.signing.incoming(response, request)

    async def aclose(self) -> None:
        """Called by the client."""
        await self.http.aclose()


class InvokeEndpointSync(httpx.BaseTransport):
    """For `httpx.Client`."""

    def __init__(self, url: SplitResult) -> None:
        self.signing = _Signing(url)
        self.http = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by the client."""
        request.read()
        outgoing = self.signing.outgoing(request)
        if outgoing is None:
            return self.signing.refusal(request)
        response = self.http.handle_request(outgoing)
        response.read()
        return self.signing.incoming(response, request)

    def close(self) -> None:
        """Called by the client."""
        self.http.close()


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
