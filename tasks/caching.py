"""Caching of stages in Prefect: keys that cover all inputs, and records that hold only while their artefact exists."""

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
    """Stores references as JSON, and reads one back only if its artefact exists and is unchanged.

    Prefect treats any error of `loads` as a cache miss, so a deleted or damaged artefact is made again.
    """

    type: Literal["verified-references"] = "verified-references"

    def dumps(self, obj: Reference) -> bytes:
        """Only the fields: a record must stay readable when the class is renamed or moved."""
        return obj.model_dump_json().encode()

    def loads(self, blob: bytes) -> Reference:
        """Raises ArtifactDamaged if the artefact is gone or changed, ValueError if the record is unreadable."""
        record = json.loads(blob)
        # The first records were written by Prefect's own serializer, which puts the fields under `data`.
        reference = Reference.model_validate(record.get("data", record))
        verify(reference)
        return reference


def cached_by(key_of: Callable[..., str]) -> dict[str, Any]:
    """Task options: the result is cached under `key_of(**parameters)`, for this home only."""

    # Not Prefect's INPUTS policy: it leaves out the task, so two tasks with equal arguments would share a record.
    def cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        place = hashlib.sha256(str(home()).encode()).hexdigest()[:12]
        return f"{context.task.name}-{key_of(**parameters)}-{place}"

    return {"cache_key_fn": cache_key, "persist_result": True, "result_serializer": VerifiedReferences()}
