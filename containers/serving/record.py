"""The record of one request. Each handler fills in its part; at the end the record is counted and logged."""

import json
import logging
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from finetune_flows.containers.serving.errors import Dialect

log = logging.getLogger("serving.access")


@dataclass
class Record:
    """One request. Times are in seconds since its arrival."""

    id: str
    method: str
    dialect: Dialect
    route: str = "other"
    status: int = 499  # stays if the client disconnects before there is an answer
    error: str | None = None  # the kind of error, even if it came after the beginning of the answer
    seconds: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_token_seconds: float | None = None
    batch_size: int = 0
    finish: str | None = None
    asked: list[str] | None = None  # the texts of a captured request; a chat is one text
    prompt: str | None = None  # prompt and answer are recorded only with SERVING_ACCESS_LOG=texts
    answer: str | None = None
    _arrived: float = field(default_factory=time.monotonic)

    def capture(self, texts: list[str], share: float) -> None:
        """Keep the texts of a random share of all requests."""
        if random.random() < share:
            self.asked = texts

    @property
    def age(self) -> float:
        """Seconds since the request's arrival."""
        return time.monotonic() - self._arrived

    def line(self) -> str:
        """The record as a line of the access log: one JSON object."""
        shown = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in vars(self).items()
            if not name.startswith("_") and (value is not None or name == "error")
        }
        return json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **shown})
