"""Files of rows: on this machine, or at an address that fsspec can open (s3://, gs://, hf://, https:// and more)."""

import glob
import hashlib
import io
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from finetune_flows.tasks.base.errors import DatasetError, EnvironmentProblem, TryLater
from finetune_flows.tasks.base.paths import absence, before_pattern, expanded, is_hidden, matching
from finetune_flows.tasks.dataset.readers import COMPRESSIONS, READERS, File, SourceRow, decompressed, reader_of
from finetune_flows.tasks.problems.example import writable

FORMATS = f"{', '.join(READERS)} files, also with {' or '.join(COMPRESSIONS)} at the end"
# Files of Hugging Face's library that describe rows and hold none.
_PAPERS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
_IDENTITIES = ("ETag", "etag", "md5Hash", "blob_id", "sha256")
_SECRET = re.compile(r"(?i)(?:^|[&-])(?:signature|sig|token|access_token|api_?key|key|password)=")
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}


@dataclass(frozen=True)
class Files:
    """Files of rows. Reports name them after `label`."""

    files: tuple[File, ...]
    identities: tuple[str | None, ...]
    """What identifies the content of a file without reading it; None: its SHA-256 does."""
    label: str = ""

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, or the identity that its server gives it, by name."""
        pairs = zip(self.files, self.identities, strict=True)
        return {self.label + file.name: identity or _sha256(file) for file, identity in pairs}

    def rows(self) -> Iterator[SourceRow]:
        """The rows of all files, one after the other. Raises DatasetError when a file cannot be read at all."""
        for file in self.files:
            reader = reader_of(file.name)
            assert reader is not None, "files of other formats are not taken up"
            named = File(self.label + file.name, file.place, partial(_unpacked, file), file.classes)
            try:
                yield from reader(named)
            except (OSError, EOFError, zlib.error) as error:
                reason = getattr(error, "strerror", None) or error
                raise DatasetError(f"{file.place}: cannot be read: {reason}") from error


def local_files(source: str, label: str) -> Files | None:
    """The file, the files of a folder, or those that match a pattern; None if there is no such path.

    Raises:
        DatasetError: there is no file of a known format among them.
    """
    path = expanded(source)
    if os.path.isfile(path):
        if reader_of(path.name) is None:
            raise DatasetError(f"{source}: unknown file format; rows are read from {FORMATS}")
        return _local(path.parent, [path], label)
    if os.path.isdir(path):
        folder, found = path, [each for each in path.rglob("*") if not is_hidden(each.relative_to(path))]
    elif glob.has_magic(source):
        folder, found = before_pattern(path), list(matching(path))
    else:
        return None
    found = [each for each in found if reader_of(each.name) and each.name not in _PAPERS and not each.is_dir()]
    if not found:
        what = "the folder holds" if os.path.isdir(path) else "the pattern matches"
        raise DatasetError(f"{source}: {what} no {', '.join(READERS)} file")
    if unreadable := [f"{each}: {problem}" for each in found if (problem := absence(each))]:
        raise DatasetError("; ".join(unreadable[:5]))
    return _local(folder, sorted(found), label)


def _local(folder: Path, paths: list[Path], label: str) -> Files:
    names = [writable(path.relative_to(folder).as_posix()) for path in paths]
    files = [
        File(name, writable(str(path)), partial(_local_file, path)) for name, path in zip(names, paths, strict=True)
    ]
    return Files(tuple(files), (None,) * len(files), label)


def _local_file(path: Path) -> BinaryIO:
    return path.open("rb")


def remote_files(source: str, label: str) -> Files:
    """The files at an address: a file, a folder or a pattern.

    Raises:
        DatasetError: there is none of a known format, or the address holds a password.
        EnvironmentProblem: the package for this kind of address is not installed, or the server refuses.
        TryLater: the server cannot be reached.
    """
    scheme = _scheme(source)
    import fsspec

    try:
        system, root = fsspec.url_to_fs(source)
        paths = _listed(system, root)
        identities = [_identity(system.info(path)) for path in paths]
    except ImportError as error:
        package = _PACKAGES.get(scheme, f"the fsspec package for {scheme}")
        raise EnvironmentProblem(f"{scheme}:// needs a package: pip install {package}") from error
    except FileNotFoundError as error:
        raise DatasetError(f"{source.split('?')[0]}: there is no such file or folder") from error
    except ValueError as error:  # a kind of address that fsspec does not know, or half an address
        raise DatasetError(f"{source.split('?')[0]}: {error}") from error
    except PermissionError as error:
        raise EnvironmentProblem(f"{source.split('?')[0]}: may not be read: {error}") from error
    except Exception as error:  # each kind of address has its own errors for a server that does not answer
        status = getattr(error, "status", None)  # aiohttp's name for it
        if status in range(400, 500) and status not in (408, 425, 429):
            raise EnvironmentProblem(f"{source.split('?')[0]}: the server refuses: {error}") from error
        raise TryLater(f"{source.split('?')[0]}: cannot be listed: {type(error).__name__}: {error}") from error
    if not paths:
        raise DatasetError(f"{source.split('?')[0]}: there is no {', '.join(READERS)} file")
    folder = root.rsplit("/", 1)[0] if paths == [root] else root.split("*")[0].rsplit("/", "*" in root)[0]
    files = [File(_name(path, folder), path.split("?")[0], partial(opened, system, path)) for path in paths]
    return Files(tuple(files), tuple(identities), label)


def _scheme(source: str) -> str:
    """The kind of an address. Raises DatasetError when it is none, holds a password, or names no file of a known format."""
    try:
        scheme = urlsplit(source).scheme
    except ValueError as error:
        raise DatasetError(f"{source}: {error}") from None
    if ("@" in urlsplit(source).netloc and scheme != "hf") or _SECRET.search(urlsplit(source).query):
        raise DatasetError("dataset.source: put no password, key or signature into an address; the run would save it")
    if scheme in ("http", "https") and "*" not in source and reader_of(urlsplit(source).path) is None:
        raise DatasetError(f"{source}: unknown file format; rows are read from {FORMATS}")
    return scheme


def _listed(system: Any, root: str) -> list[str]:
    """The files of known formats at a path of a file system."""
    if "*" in root:
        found = system.glob(root)
    elif reader_of(urlsplit(root).path):
        if not system.exists(root):
            raise FileNotFoundError(root)
        return [root]
    else:
        found = system.find(root)
    return sorted(path for path in found if reader_of(urlsplit(path).path) and PurePosixPath(path).name not in _PAPERS)


def _name(path: str, folder: str) -> str:
    """The name of a file inside a folder, without the query of an address, which may hold a signature."""
    return path.split("?")[0].removeprefix(folder).lstrip("/")


def _identity(info: dict[str, Any]) -> str | None:
    found = next((str(info[key]) for key in _IDENTITIES if info.get(key)), None)
    return f"{found}, {info.get('size')} bytes" if found else None


def opened(system: Any, path: str) -> BinaryIO:
    """A file of fsspec, as Python's own files behave: its readline knows no limit."""
    return io.BufferedReader(system.open(path, "rb"))


def _unpacked(file: File) -> BinaryIO:
    return decompressed(file.open(), file.name)


def _sha256(file: File) -> str:
    with file.open() as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
