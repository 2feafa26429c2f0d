"""S3, as SageMaker uses it: prefixes down into folders, folders up into prefixes, with or without an archive."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


# moto reads a whole object for each part that is asked for.
_WHOLE = TransferConfig(multipart_threshold=2**40)


class Storage:
    """Moves files between folders and S3."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3

    def keys(self, uri: str) -> Iterator[str]:
        """All keys that begin with the address's key."""
        bucket, prefix = split_uri(uri)
        for found in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (each["Key"] for each in found.get("Contents", []))

    def exists(self, uri: str) -> bool:
        """Whether anything begins with it; false for a bucket that is not there."""
        try:
            return any(True for _ in self.keys(uri))
        except self.s3.exceptions.NoSuchBucket:
            return False

    def download(self, uri: str, folder: Path) -> None:
        """What lies under a prefix, or the one object, into `folder`."""
        bucket, prefix = split_uri(uri)
        folder.mkdir(parents=True, exist_ok=True)
        for key in self.keys(uri):
            if key.endswith("/"):
                continue
            path = folder / _below(prefix, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.s3.download_file(bucket, key, str(path), Config=_WHOLE)

    def upload(self, folder: Path, uri: str, known: dict[Path, tuple[int, int]] | None = None) -> None:
        """Every file below `folder` that changed since it was noted in `known`. What is gone stays in S3, as there."""
        bucket, prefix = split_uri(uri.rstrip("/"))
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                state = (path.stat().st_mtime_ns, path.stat().st_size)
                if known is not None and known.get(path) == state:
                    continue
                self.s3.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder)}", Config=_WHOLE)
            except FileNotFoundError:
                continue  # renamed or deleted while it was read: the program does not wait for us
            if known is not None:
                known[path] = state

    def upload_archive(self, folder: Path, uri: str, scratch: Path) -> None:
        """The folder's files at the root of one .tar.gz."""
        with tarfile.open(scratch, "w:gz") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name)
        bucket, key = split_uri(uri)
        self.s3.upload_file(str(scratch), bucket, key)

    def download_archive(self, uri: str, folder: Path, scratch: Path) -> None:
        """Takes a .tar.gz apart into `folder`."""
        bucket, key = split_uri(uri)
        self.s3.download_file(bucket, key, str(scratch), Config=_WHOLE)
        with tarfile.open(scratch) as archive:
            archive.extractall(folder, filter="data")


def _below(prefix: str, key: str) -> str:
    """A key's path below a prefix: of an object itself its name."""
    start = prefix if prefix.endswith("/") or not prefix else prefix + "/"
    return key.removeprefix(start) if key.startswith(start) else key[prefix.rfind("/") + 1 :]
