"""Values: compared by content, named by what they are made from."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: compared by content, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def now() -> datetime:
    """The time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def step_key(step: str, version: int, settings: BaseModel | dict[str, Any], upstream: Iterable[str] = ()) -> str:
    """sha256 (hex) of everything that a step's output depends on.

    `version` is bumped by hand when a change in the code changes the output. `settings` holds only what affects the
    output (no log level, no platform). `upstream` are the digests of the artefacts that the step reads, in order.
    """
    plain = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    identity = {"step": step, "version": version, "settings": plain, "upstream": list(upstream)}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
