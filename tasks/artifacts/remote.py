"""Artefacts whose weights stay in S3. The local folder has the small files and remote.json, which locates the rest:

    {"uri": "s3://bucket/.../", "region": ..., "profile": ..., "files": {"model/model.safetensors": {"size": ..., "etag": ...}},
     "facts": {what the platform reported about the job}}

If an object in S3 is missing or changed, the artefact counts as absent, as with a local file.
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from pydantic import Field

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import ArtifactDamaged
from finetune_flows.tasks.base.files import sha256_of
from finetune_flows.tasks.base.values import Frozen

REMOTE = "remote.json"


class RemoteFiles(Frozen):
    """The content of remote.json."""

    uri: str = Field(pattern=r"^s3://[^/]+/.+/$", description="Prefix of all the files.")
    region: str
    profile: str | None = None
    files: dict[str, dict[str, Any]] = Field(description="Size in bytes and S3's entity tag, by name.")
    facts: dict[str, Any] = Field({}, description="Job, image and instance that made them.")


def read_remote(folder: Path) -> RemoteFiles | None:
    """The remote files of an artefact; None when all its files are local."""
    try:
        return RemoteFiles.model_validate_json((folder / REMOTE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def remote_prefix(folder: Path) -> str | None:
    """The S3 prefix of `folder`, an artefact's folder or a folder directly in it; None when its files are local."""
    for above in (folder, folder.parent):
        remote = read_remote(above)
        if remote is not None:
            below = "" if above == folder else f"{folder.name}/"
            return remote.uri + below
    return None


def with_weights(folder: Path, cache: Path) -> Path:
    """`folder` if its files are local; otherwise a complete copy below `cache`, downloaded once.

    Raises:
        ArtifactDamaged: a downloaded file differs from what the training program wrote.
        EnvironmentProblem, TryLater: S3 refuses, or cannot be reached.
    """
    above = next((each for each in (folder, folder.parent) if (each / REMOTE).exists()), None)
    if above is None:
        return folder
    whole = cache / hashlib.sha256(str(remote_prefix(above)).encode()).hexdigest()[:24]
    if not whole.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Download under a temporary name: an interrupted download must not look complete.
        with tempfile.TemporaryDirectory(dir=cache) as draft:
            _fetch(above, Path(draft) / "whole")
            (Path(draft) / "whole").rename(whole)
    return whole / folder.relative_to(above)


def _fetch(artifact: Path, folder: Path) -> None:
    from finetune_flows.tasks.aws.errors import aws_errors

    remote = read_remote(artifact)
    assert remote is not None
    s3, (bucket, key) = _s3_of(remote), split_uri(remote.uri)
    written: dict[str, str] = json.loads((artifact / "training.json").read_text(encoding="utf-8")).get("weights", {})
    for name in remote.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with aws_errors(f"downloading {remote.uri}{name}"):
            s3.download_file(bucket, key + name, str(folder / name))
        if name in written and sha256_of(folder / name) != written[name]:
            raise ArtifactDamaged(f"{remote.uri}{name} differs from what the training program wrote")


def lineage_of(model: Reference, dataset_digest: str) -> dict[str, str]:
    """The origin of a model: digests, and what the platform reported about its training job."""
    remote = read_remote(model.path)
    facts = {} if remote is None else {name: str(value) for name, value in remote.facts.items()}
    return {"model_digest": model.digest, "dataset_digest": dataset_digest, "step_key": model.step_key} | facts


def check_remote(folder: Path) -> None:
    """Checks in S3 that an artefact's remote objects exist and are unchanged. Does nothing for a local artefact.

    Raises:
        ArtifactDamaged: an object is missing or changed.
    """
    remote = read_remote(folder)
    if remote is None:
        return
    from finetune_flows.tasks.aws.errors import aws_errors

    with aws_errors(f"looking for {remote.uri}"):
        there = list_prefix(_s3_of(remote), remote.uri)
    changed = sorted(name for name, entry in remote.files.items() if there.get(name) != entry)
    if changed:
        raise ArtifactDamaged(f"files of {folder} are missing or changed in {remote.uri}: {', '.join(changed[:5])}")


def _s3_of(remote: RemoteFiles) -> Any:
    from finetune_flows.tasks.aws.clients import Clients
    from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

    return Clients(SageMakerPlatform(region=remote.region, profile=remote.profile)).client("s3")


def list_prefix(s3: Any, uri: str) -> dict[str, dict[str, Any]]:
    """Size in bytes and entity tag of every object below a prefix, by name relative to the prefix."""
    bucket, key = split_uri(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    objects = [each for page in pages for each in page.get("Contents", [])]
    return {each["Key"][len(key) :]: {"size": each["Size"], "etag": each["ETag"].strip('"')} for each in objects}


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
