"""Prefect's cache, made honest: keys that name everything, records that are worth as much as the artefact behind them."""

import hashlib
from collections.abc import Callable
from typing import Any, Literal

from prefect.context import TaskRunContext
from prefect.serializers import JSONSerializer

from tasks.artifacts.references import Reference
from tasks.artifacts.store import home, verify


class VerifiedReferences(JSONSerializer):
    """Stores references as JSON, and reads one back only if its artefact is there and unchanged.

    Prefect takes any error of `loads` for a miss, so that a deleted or damaged artefact is made again.
    """

    type: Literal["verified-references"] = "verified-references"

    def loads(self, blob: bytes) -> Any:
        """Raises ArtifactDamaged when the artefact is gone or changed."""
        value = super().loads(blob)
        if isinstance(value, Reference):
            verify(value)
        return value


def cached_by(key_of: Callable[..., str]) -> dict[str, Any]:
    """Task options: cached under `key_of(**parameters)`, in this home only."""

    def cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        place = hashlib.sha256(str(home()).encode()).hexdigest()[:12]
        return f"{context.task.name}-{key_of(**parameters)}-{place}"

    return {"cache_key_fn": cache_key, "persist_result": True, "result_serializer": VerifiedReferences()}
