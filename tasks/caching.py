"""Prefect's cache, made honest: keys that name everything, records that are worth as much as the artefact behind them."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Literal

from prefect.context import TaskRunContext
from prefect.serializers import JSONSerializer

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import verify
from finetune_flows.tasks.base.files import home


class VerifiedReferences(JSONSerializer):
    """Stores references as JSON, and reads one back only if its artefact is there and unchanged.

    Prefect takes any error of `loads` for a miss, so that a deleted or damaged artefact is made again.
    """

    type: Literal["verified-references"] = "verified-references"

    def dumps(self, obj: Reference) -> bytes:
        """The fields alone: a record must outlive a change of the class's name or place."""
        return obj.model_dump_json().encode()

    def loads(self, blob: bytes) -> Reference:
        """Raises ArtifactDamaged when the artefact is gone or changed, ValueError when the record is."""
        record = json.loads(blob)
        # Prefect's own serializer, which wrote the first records, puts the fields under `data`, beside the class's name.
        reference = Reference.model_validate(record.get("data", record))
        verify(reference)
        return reference


def cached_by(key_of: Callable[..., str]) -> dict[str, Any]:
    """Task options: cached under `key_of(**parameters)`, in this home only."""

    def cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        place = hashlib.sha256(str(home()).encode()).hexdigest()[:12]
        return f"{context.task.name}-{key_of(**parameters)}-{place}"

    return {"cache_key_fn": cache_key, "persist_result": True, "result_serializer": VerifiedReferences()}
