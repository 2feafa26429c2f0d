"""Weights that stay in S3: an artefact then holds the small files, and remote.json, which says where the rest is.

    {"uri": "s3://bucket/.../", "region": ..., "profile": ..., "files": {"model/model.safetensors": {"size": ..., "etag": ...}},
     "facts": {what the platform told of the job}}

An artefact whose objects are gone or changed counts as absent, like one whose files are.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.artifacts.references import Reference
from tasks.errors import ArtifactDamaged

REMOTE = "remote.json"


class RemoteFiles(BaseModel):
    """What remote.json says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str = Field(pattern=r"^s3://[^/]+/.+/$", description="Prefix that the names of the files begin with.")
    region: str
    profile: str | None = None
    files: dict[str, dict[str, Any]] = Field(description="Size in bytes and S3's entity tag, by name.")
    facts: dict[str, Any] = Field({}, description="Job, image and instance that made them.")


def read_remote(folder: Path) -> RemoteFiles | None:
    """None for an artefact that holds everything itself."""
    try:
        return RemoteFiles.model_validate_json((folder / REMOTE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def remote_prefix(folder: Path) -> str | None:
    """Where the files of `folder` are in S3, when they stayed there; it may be the artefact's folder or one in it."""
    for above in (folder, folder.parent):
        remote = read_remote(above)
        if remote is not None:
            below = "" if above == folder else f"{folder.name}/"
            return remote.uri + below
    return None


def lineage_of(model: Reference, dataset_digest: str) -> dict[str, str]:
    """Where a model comes from: digests, and what the platform told of the job that made it."""
    remote = read_remote(model.path)
    facts = {} if remote is None else {name: str(value) for name, value in remote.facts.items()}
    return {"model_digest": model.digest, "dataset_digest": dataset_digest, "step_key": model.step_key} | facts


def check_remote(folder: Path) -> None:
    """Asks S3 for the objects of an artefact, if it has any.

    Raises:
        ArtifactDamaged: some are gone, or are not the ones that the job wrote.
    """
    remote = read_remote(folder)
    if remote is None:
        return
    from tasks.platforms.sagemaker.clients import Clients
    from tasks.platforms.sagemaker.errors import aws_errors
    from tasks.recipe.sagemaker import SageMakerPlatform

    clients = Clients(SageMakerPlatform(region=remote.region, profile=remote.profile))
    with aws_errors(f"looking for {remote.uri}"):
        there = list_prefix(clients.client("s3"), remote.uri)
    changed = sorted(name for name, entry in remote.files.items() if there.get(name) != entry)
    if changed:
        raise ArtifactDamaged(f"{remote.uri} lacks files of {folder}, or has others: {', '.join(changed[:5])}")


def list_prefix(s3: Any, uri: str) -> dict[str, dict[str, Any]]:
    """Size in bytes and entity tag of every object below a prefix, by its name below it."""
    bucket, key = split_uri(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    objects = [each for page in pages for each in page.get("Contents", [])]
    return {each["Key"][len(key) :]: {"size": each["Size"], "etag": each["ETag"].strip('"')} for each in objects}


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
