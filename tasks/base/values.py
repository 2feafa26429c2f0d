"""Immutable values, and the keys of steps."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value, compared by its fields. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def now() -> datetime:
    """The time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def step_key(step: str, version: int, settings: BaseModel | dict[str, Any], upstream: Iterable[str] = ()) -> str:
    """SHA-256 (hex) of everything that a step's output depends on.

    `settings` holds only what affects the output (no log level, no platform). `upstream` are the digests of the artefacts
    that the step reads, in order. `version` is raised by hand when a change of the code changes the output: Prefect's own
    TASK_SOURCE would notice only changes in the text of the task function, not in the code it calls.
    """
    plain = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    identity = {"step": step, "version": version, "settings": plain, "upstream": list(upstream)}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
