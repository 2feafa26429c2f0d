"""Refusals and failures, said in the words of whichever API was called."""

import math
from enum import Enum
from typing import Any, Literal, NamedTuple

Dialect = Literal["openai", "tgi"]


class Words(NamedTuple):
    """How the two APIs name a kind of error."""

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
    """A request that gets an error for an answer.

    `field` is the part of the request to mend; `retry_after` the seconds after which another try makes sense.
    """

    def __init__(self, kind: Kind, message: str, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message.encode(errors="replace").decode()  # it may quote half a character of the request
        self.field = field
        self.headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}

    def status(self, dialect: Dialect) -> int:
        """HTTP status."""
        return self.kind.value.status if dialect == "openai" else self.kind.value.tgi_status

    def body(self, dialect: Dialect) -> dict[str, Any]:
        """The error object that clients of this API know."""
        words = self.kind.value
        if dialect == "tgi":
            return {"error": self.message, "error_type": words.tgi_type}
        error = {"message": self.message, "type": words.openai_type, "param": self.field, "code": words.status}
        return {"error": error}


def invalid(field: str, problem: str) -> ApiError:
    """The request's `field` is wrong."""
    return ApiError(Kind.INVALID, f"{field}: {problem}", field)
