"""The artefact store: folders named by step key, complete only when their manifest is there and true."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.artifacts.references import Kind, Reference
from tasks.artifacts.remote import check_remote
from tasks.errors import ArtifactDamaged

MANIFEST = "manifest.json"


def home() -> Path:
    """Where artefacts, jobs, endpoints and the registry live: $FINETUNE_HOME, or ~/.finetune."""
    return Path(os.environ.get("FINETUNE_HOME") or Path.home() / ".finetune").absolute()


class Draft:
    """An artefact being written: fill `path`, and list in `parents` the digests it was made from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parents: list[str] = []


class Store:
    """Artefacts in a folder. A damaged or half-written artefact counts as absent and is written anew."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home() / "artifacts"

    def folder(self, kind: Kind, key: str) -> Path:
        """Where the artefact of that key is, or will be."""
        return self.root / kind / key[:24]

    def find(self, kind: Kind, key: str) -> Reference | None:
        """The complete, undamaged artefact of that key; None when there is none."""
        try:
            return self._read(kind, self.folder(kind, key))
        except ArtifactDamaged:
            return None

    def require(self, kind: Kind, key: str) -> Reference:
        """The artefact of that key. Raises ArtifactDamaged when it is absent, changed or half written."""
        return self._read(kind, self.folder(kind, key))

    @contextmanager
    def write(self, kind: Kind, key: str) -> Iterator[Draft]:
        """A draft folder that becomes the artefact when the block ends well, and disappears when it does not."""
        drafts = self.root / "drafts"
        drafts.mkdir(parents=True, exist_ok=True)
        draft = Draft(Path(tempfile.mkdtemp(dir=drafts, prefix=f"{kind}-{key[:12]}-")))
        try:
            yield draft
            self._publish(kind, key, draft)
        finally:
            shutil.rmtree(draft.path, ignore_errors=True)

    def _publish(self, kind: Kind, key: str, draft: Draft) -> None:
        files = digest_files(draft.path)
        with locked(self.root / ".lock"):
            if self.find(kind, key) is None:  # otherwise somebody else made the same thing meanwhile
                self._move_in(kind, key, draft, files)

    def _move_in(self, kind: Kind, key: str, draft: Draft, files: dict[str, dict[str, Any]]) -> None:
        folder = self.folder(kind, key)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.path.chmod(0o755)  # mkdtemp makes it private; containers read it as another user
        draft.path.rename(folder)
        manifest = {
            "kind": kind,
            "step_key": key,
            "digest": _overall(files),
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "parents": draft.parents,
            "files": files,
        }
        write_json(folder / MANIFEST, manifest)

    def _read(self, kind: Kind, folder: Path) -> Reference:
        manifest = _read_manifest(folder)
        size = sum(entry["size"] for entry in manifest["files"].values())
        key, digest = manifest["step_key"], manifest["digest"]
        reference = Reference(kind=kind, uri=str(folder), digest=digest, size=size, step_key=key)
        verify(reference)
        return reference


def verify(reference: Reference) -> None:
    """Reads every byte again; of weights that stayed in S3, only what S3 says of them.

    Raises:
        ArtifactDamaged: the artefact is gone, or differs from its manifest.
    """
    expected = _read_manifest(reference.path)["files"]
    files = digest_files(reference.path, skip=(MANIFEST,))
    if files != expected or _overall(files) != reference.digest:
        changed = sorted(name for name in files | expected if files.get(name) != expected.get(name))
        where = f"{reference.kind} {reference.uri}"
        raise ArtifactDamaged(f"{where} was changed after it was made: {', '.join(changed[:5])}")
    check_remote(reference.path)


def parents_of(reference: Reference) -> list[str]:
    """Digests of what it was made from. Raises ArtifactDamaged when it is gone."""
    parents: list[str] = _read_manifest(reference.path)["parents"]
    return parents


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactDamaged(f"there is no complete artefact in {folder} ({error})") from error
    return manifest


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process or thread at a time. The lock goes with whoever holds it, killed or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_json(path: Path, content: Any) -> None:
    """Written to a temporary name, flushed to disk and renamed: a reader sees the old file or the new one."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def digest_files(folder: Path, skip: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Size in bytes and sha256 of each file below `folder`, by its relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: {"size": p.stat().st_size, "sha256": sha256_of(p)} for name, p in names.items() if name not in skip}


def sha256_of(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _overall(files: dict[str, dict[str, Any]]) -> str:
    lines = "".join(f"{entry['sha256']}  {name}\n" for name, entry in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
