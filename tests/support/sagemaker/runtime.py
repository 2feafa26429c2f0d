"""The runtime: InvokeEndpoint, with its limits, errors and event stream."""

import json
import struct
import time
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
from werkzeug.wrappers import Request, Response

from tests.support.sagemaker.endpoints import Endpoints
from tests.support.sagemaker.errors import ServiceError
from tests.support.sagemaker.faults import Faults
from tests.support.sagemaker.serving import Server
from tests.support.sagemaker.tables import ACCOUNT, REGION
from tests.support.sagemaker.usage import Usage

LONGEST_BODY = 6_291_456
ANSWER_SECONDS = 60.0


class Runtime:
    """Hands requests to the containers of an endpoint."""

    def __init__(self, endpoints: Endpoints, faults: Faults, usage: Usage) -> None:
        self.endpoints, self.faults, self.usage = endpoints, faults, usage
        self.client = httpx.Client(timeout=ANSWER_SECONDS, trust_env=False, limits=httpx.Limits(max_connections=None))

    def invoke(self, request: Request) -> Response:
        """`/endpoints/NAME/invocations` and `/endpoints/NAME/invocations-response-stream`."""
        _, _, name, kind = request.path.split("/", 3)
        try:
            server = self.endpoints.serving(name)
            body = request.get_data()
            if len(body) > LONGEST_BODY:
                raise ServiceError("ValidationError", f"Body must have length less than or equal to {LONGEST_BODY}")
            if self.faults.broken(name, body):
                self.usage.note(name, server.variant["VariantName"], 500, 0)
                return _model_error(name, 500, "told to fail by the test")
            asked = self.client.build_request(
                "POST", f"{server.url}/invocations", content=body, headers=_passed(request)
            )
            if kind == "invocations-response-stream":
                return self._stream(asked, name)
            if kind == "invocations":
                return self._whole(asked, name, server.variant["VariantName"])
            if kind == "async-invocations":
                return self._queued(request, name, server)
            raise ServiceError("UnknownOperationException", f"the emulator does not have {kind}")
        except ServiceError as error:
            return _error(error.code, str(error), error.status)

    def _whole(self, asked: httpx.Request, name: str, variant: str) -> Response:
        started = time.monotonic()
        try:
            answer = self.client.send(asked)
        except httpx.TransportError as error:
            self.usage.note(name, variant, 500, time.monotonic() - started)
            return _model_error(name, 500, f"{type(error).__name__}: {error}")
        self.usage.note(name, variant, answer.status_code, time.monotonic() - started)
        if not answer.is_success:
            return _model_error(name, answer.status_code, answer.text)
        headers = {"x-Amzn-Invoked-Production-Variant": variant}
        return Response(answer.content, content_type=answer.headers.get("content-type"), headers=headers)

    def _queued(self, request: Request, name: str, server: Server) -> Response:
        """Answers before it says that it has taken the question: what a caller sees is the same."""
        config = self.endpoints.configs.get(self.endpoints.endpoints.get(name).config)
        places = config.request.get("AsyncInferenceConfig", {}).get("OutputConfig")
        if places is None:
            raise ServiceError("ValidationError", f"Endpoint {name} is not an asynchronous endpoint.")
        s3, taken = server.account.s3, uuid.uuid4().hex
        bucket, _, key = request.headers["X-Amzn-SageMaker-InputLocation"].removeprefix("s3://").partition("/")
        question = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        answer = self.client.post(f"{server.url}/invocations", content=question, headers=_passed(request))
        out, failed = f"{places['S3OutputPath']}/{taken}.out", f"{places['S3FailurePath']}/{taken}-error.out"
        bucket, _, key = (out if answer.is_success else failed).removeprefix("s3://").partition("/")
        s3.put_object(Bucket=bucket, Key=key, Body=answer.content)
        headers = {"X-Amzn-SageMaker-OutputLocation": out, "X-Amzn-SageMaker-FailureLocation": failed}
        return Response(json.dumps({"InferenceId": taken}), 202, headers, content_type="application/json")

    def _stream(self, asked: httpx.Request, name: str) -> Response:
        answer = self.client.send(asked, stream=True)
        if not answer.is_success:
            answer.read()
            return _model_error(name, answer.status_code, answer.text)
        return Response(
            _parts(answer),
            content_type="application/vnd.amazon.eventstream",
            headers={"x-Amzn-SageMaker-Content-Type": answer.headers.get("content-type", "")},
        )


def _passed(request: Request) -> dict[str, str]:
    names = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")
    return {name: request.headers[name] for name in names if name in request.headers}


def _parts(answer: httpx.Response) -> Iterator[bytes]:
    try:
        for chunk in answer.iter_raw():
            yield frame({":message-type": "event", ":event-type": "PayloadPart"}, chunk)
    finally:
        answer.close()


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of AWS's event stream: lengths, headers, payload, a checksum for each half."""
    head = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _model_error(name: str, status: int, text: str) -> Response:
    group = f"/aws/sagemaker/Endpoints/{name}"
    side = "server" if status >= 500 else "client"
    message = (
        f'Received {side} error ({status}) from primary with message "{text}". See https://{REGION}.console.aws.amazon.com/'
        f"cloudwatch/home?region={REGION}#logEventViewer:group={group} in account {ACCOUNT} for more information."
    )
    more = {
        "OriginalStatusCode": status,
        "OriginalMessage": text,
        "LogStreamArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:{group}",
    }
    return _error("ModelError", message, 424, **more)


def _error(code: str, message: str, status: int, **more: Any) -> Response:
    body = json.dumps({"Message": message, **more})
    return Response(body, status=status, content_type="application/json", headers={"x-amzn-ErrorType": code})
