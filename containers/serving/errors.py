"""Refusals and failures, in the format of the API that was called."""

import math
from enum import Enum
from typing import Any, Literal, NamedTuple

Dialect = Literal["openai", "tgi"]


class Words(NamedTuple):
    """The names of a kind of error in the two APIs."""

    status: int
    openai_type: str
    tgi_status: int
    tgi_type: str


class Kind(Enum):
    """What went wrong."""

    INVALID = Words(400, "invalid_request_error", 422, "validation")
    NOT_FOUND = Words(404, "not_found_error", 404, "not_found")
    WRONG_METHOD = Words(405, "invalid_request_error", 405, "validation")
    TOO_LARGE = Words(413, "invalid_request_error", 413, "validation")
    OVERLOADED = Words(429, "rate_limit_error", 429, "overloaded")
    TOO_SLOW = Words(408, "timeout_error", 408, "timeout")
    TIMEOUT = Words(504, "timeout_error", 504, "timeout")
    NOT_READY = Words(503, "service_unavailable", 503, "unhealthy")
    FAILED = Words(500, "server_error", 500, "generation")


class ApiError(Exception):
    """An error that becomes the answer to a request.

    `field` is the part of the request to correct. `retry_after` is the number of seconds after which to try again.
    """

    def __init__(self, kind: Kind, message: str, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        # The message may quote half a character of the request, which JSON in UTF-8 cannot carry.
        self.message = message.encode(errors="replace").decode()
        self.field = field
        self.headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}

    def status(self, dialect: Dialect) -> int:
        """The HTTP status of this error in an API."""
        return self.kind.value.status if dialect == "openai" else self.kind.value.tgi_status

    def body(self, dialect: Dialect) -> dict[str, Any]:
        """The error object in the format of an API."""
        words = self.kind.value
        if dialect == "tgi":
            return {"error": self.message, "error_type": words.tgi_type}
        error = {"message": self.message, "type": words.openai_type, "param": self.field, "code": words.status}
        return {"error": error}


def invalid(field: str, problem: str) -> ApiError:
    """The error for a wrong `field` of the request."""
    return ApiError(Kind.INVALID, f"{field}: {problem}", field)
