"""HTTP: one server for all of AWS. SageMaker is ours, everything else is moto's; every request is kept.

JSON 1.1 for the control plane, REST for the runtime. Faults strike here, before or after an operation is carried out.
"""

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Request, Response

from tests.support.sagemaker.api_model import Payload, answer_problems, request_problems
from tests.support.sagemaker.errors import ServiceError, invalid
from tests.support.sagemaker.faults import Faults
from tests.support.sagemaker.record import Call, Record

Operation = Callable[[Payload], Payload | None]
Environ = dict[str, Any]


class Cloud:
    """The WSGI application."""

    def __init__(
        self,
        operations: Mapping[str, Mapping[str, Operation]],
        invoke: Callable[[Request], Response],
        simulate_policy: Callable[[dict[str, list[str]]], Response],
        faults: Faults,
        record: Record,
    ) -> None:
        self.operations, self.invoke, self.simulate_policy = operations, invoke, simulate_policy
        self.faults, self.record = faults, record
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.own_faults: list[str] = []  # where the emulator itself broke AWS's rules

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answers one request."""
        call = self.record.keep(environ)
        if self.faults.strikes(self.faults.throttled, call.operation):
            return _error(ServiceError("ThrottlingException", "Rate exceeded"))(environ, start_response)
        answer = self._carry_out(call, environ)
        if self.faults.strikes(self.faults.lost, call.operation):
            list(answer(environ, lambda *_: None))  # moto does its work only now
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            start_response("200 OK", [])
            return []
        return answer(environ, start_response)  # type: ignore[no-any-return]

    def _carry_out(self, call: Call, environ: Environ) -> Any:
        request = Request(environ)
        if call.service == "sagemaker" and request.path.startswith("/endpoints/"):
            return self.invoke(request)
        if call.service in self.operations:
            return self._operation(call, request)
        if call.operation == "SimulatePrincipalPolicy":
            return self.simulate_policy(parse_qs(request.get_data(as_text=True)))
        return self.moto

    def _operation(self, call: Call, request: Request) -> Response:
        try:
            payload = json.loads(request.get_data() or b"{}")
            operation = self.operations[call.service].get(call.operation)
            if operation is None:
                raise ServiceError("UnknownOperationException", f"the emulator does not have {call.operation}")
            found = request_problems(call.service, call.operation, payload)
            if found:
                raise invalid(f"{len(found)} validation error(s) detected: {'; '.join(found)}")
            return self._answer(call, operation(payload) or {})
        except ServiceError as error:
            call.error = error.code
            return _error(error)
        except Exception as error:
            self.own_faults.append(f"{call.operation}: {error!r}")
            raise

    def _answer(self, call: Call, answer: Payload) -> Response:
        plain = json.loads(json.dumps(answer, default=_timestamp))
        self.own_faults += [
            f"{call.operation}: {each}" for each in answer_problems(call.service, call.operation, plain)
        ]
        return Response(json.dumps(plain), content_type="application/x-amz-json-1.1")


def _timestamp(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} cannot be sent")


def _error(error: ServiceError) -> Response:
    body = {"__type": error.code, "message": str(error)}
    return Response(json.dumps(body), status=error.status, content_type="application/x-amz-json-1.1")
