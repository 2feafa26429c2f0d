"""Folders in S3, named by their content: nothing is uploaded twice, and nothing is ever overwritten.

s3://<bucket>/<prefix>/<kind>/<digest>/...       the files
s3://<bucket>/<prefix>/<kind>/<digest>.json      their sizes and sha256; written last, so it proves that all files exist
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from finetune_flows.tasks.artifacts.remote import list_prefix, remote_prefix, split_uri
from finetune_flows.tasks.artifacts.store import MANIFEST
from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.files import sha256_of

log = logging.getLogger("finetune.sagemaker")
_PARALLEL = 10  # parts uploaded at the same time
_PART_BYTES = 64 * 2**20


def place(clients: Clients, kind: str, folder: Path) -> str:
    """Uploads the files of `folder` that are not in S3 yet; returns their s3:// prefix, which ends with a slash.

    If an artefact's weights never left S3, nothing is uploaded, and the prefix is the artefact's own.
    """
    remote = remote_prefix(folder)
    if remote is not None:
        return remote
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files.pop(MANIFEST, None)
    return place_files(clients, kind, files)


def place_files(clients: Clients, kind: str, files: Mapping[str, Path]) -> str:
    """Does the same as `place` for single files, given by the names that they get in S3."""
    digests = {name: _digest(path) for name, path in files.items()}
    uri = f"{clients.home}/{kind}/{_overall(digests)}/"
    bucket, key = split_uri(uri)
    s3 = clients.client("s3")
    there = {name: entry["size"] for name, entry in list_prefix(s3, uri).items()}
    lacking = {name: path for name, path in files.items() if there.get(name) != digests[name]["size"]}
    marker = key.rstrip("/") + ".json"
    if lacking:
        _upload(clients, bucket, {key + name: path for name, path in lacking.items()})
    if lacking or not _exists(s3, bucket, marker):
        body = json.dumps(digests, indent=2).encode()
        s3.put_object(Bucket=bucket, Key=marker, Body=body, **encryption(clients))
    return uri


def encryption(clients: Clients) -> dict[str, str]:
    """Arguments of each upload that name the recipe's key. Without a key, the bucket's own encryption applies."""
    key = clients.section.kms_key
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}


def download(clients: Clients, uri: str, names: Iterable[str], folder: Path) -> None:
    """Downloads the named files of a prefix into `folder`."""
    bucket, key = split_uri(uri)
    s3 = clients.client("s3")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key + name, str(folder / name))


def delete_prefix(clients: Clients, uri: str) -> None:
    """Deletes every object below a prefix."""
    bucket, key = split_uri(uri)
    s3 = clients.client("s3")
    names = list(list_prefix(s3, uri))
    for start in range(0, len(names), 1000):
        objects = [{"Key": key + name} for name in names[start : start + 1000]]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


def _upload(clients: Clients, bucket: str, files: Mapping[str, Path]) -> None:
    """Uploads several files, and several parts of each, at the same time. S3 checks a SHA-256 of every part."""
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    config = TransferConfig(max_concurrency=_PARALLEL, multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES)
    progress = _Progress(f"s3://{bucket}", sum(path.stat().st_size for path in files.values()))
    extra: dict[str, Any] = {"ChecksumAlgorithm": "SHA256", **encryption(clients)}
    with create_transfer_manager(clients.client("s3"), config) as manager:
        futures = [
            manager.upload(str(path), bucket, key, extra_args=extra, subscribers=[progress.subscriber()])
            for key, path in files.items()
        ]
        for future in futures:
            future.result()


class _Progress:
    """Logs the progress of an upload every few seconds."""

    INTERVAL = 10.0  # seconds

    def __init__(self, where: str, total: int) -> None:
        self.where, self.total, self.sent = where, total, 0
        self.shown = time.monotonic()
        self.lock = threading.Lock()

    def subscriber(self) -> Any:
        from boto3.s3.transfer import ProgressCallbackInvoker

        return ProgressCallbackInvoker(self.add)

    def add(self, count: int) -> None:
        with self.lock:
            self.sent += count
            if time.monotonic() - self.shown > self.INTERVAL:
                self.shown = time.monotonic()
                log.info("upload to %s: %.1f of %.1f GB", self.where, self.sent / 1e9, self.total / 1e9)


def _digest(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}


def _overall(digests: Mapping[str, Mapping[str, Any]]) -> str:
    lines = "".join(f"{entry['sha256']}  {name}\n" for name, entry in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:32]


def _exists(s3: Any, bucket: str, key: str) -> bool:
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount"))
