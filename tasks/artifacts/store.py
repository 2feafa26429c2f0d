"""The artefact store: folders named by step key. An artefact is complete only if its manifest exists and is correct."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typing_extensions import TypedDict

from finetune_flows.tasks.artifacts.references import Kind, Reference
from finetune_flows.tasks.artifacts.remote import check_remote
from finetune_flows.tasks.base.errors import ArtifactDamaged
from finetune_flows.tasks.base.files import digest_files, home, locked, read_model, write_json

MANIFEST = "manifest.json"


class Draft:
    """An artefact being written. Put its files into `path`, and the digests of its inputs into `parents`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parents: list[str] = []


class Store:
    """Artefacts in a folder. A damaged or half-written artefact counts as absent and is written anew."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home() / "artifacts"

    def folder(self, kind: Kind, key: str) -> Path:
        """The folder of the artefact with this key, whether it exists or not."""
        return self.root / kind / key[:24]

    def find(self, kind: Kind, key: str) -> Reference | None:
        """The complete, undamaged artefact with this key; None when there is none."""
        try:
            return self._read(kind, self.folder(kind, key))
        except ArtifactDamaged:
            return None

    def require(self, kind: Kind, key: str) -> Reference:
        """The artefact with this key. Raises ArtifactDamaged when it is absent, changed or half written."""
        return self._read(kind, self.folder(kind, key))

    @contextmanager
    def write(self, kind: Kind, key: str) -> Iterator[Draft]:
        """A draft folder that becomes the artefact if the block succeeds, and is deleted if the block raises."""
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
            if self.find(kind, key) is None:  # otherwise another process has written the same artefact meanwhile
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
        # The manifest goes last: without it, a reader treats a half-written artefact as absent.
        write_json(folder / MANIFEST, manifest)

    def _read(self, kind: Kind, folder: Path) -> Reference:
        manifest = _read_manifest(folder)
        size = sum(entry["size"] for entry in manifest.files.values())
        reference = Reference(kind=kind, uri=str(folder), digest=manifest.digest, size=size, step_key=manifest.step_key)
        verify(reference)
        return reference


def verify(reference: Reference) -> None:
    """Compares an artefact with its manifest. Reads every local byte; for weights in S3, compares size and entity tag.

    Raises:
        ArtifactDamaged: the artefact is missing, or differs from its manifest.
    """
    expected = _read_manifest(reference.path).files
    files = digest_files(reference.path, skip=(MANIFEST,))
    where = f"{reference.kind} {reference.uri}"
    if files != expected:
        changed = sorted(name for name in files | expected if files.get(name) != expected.get(name))
        raise ArtifactDamaged(f"{where} was changed after it was made: {', '.join(changed[:5])}")
    if _overall(files) != reference.digest:
        raise ArtifactDamaged(
            f"{where} was made again: its digest is {_overall(files)[:8]} now, and no longer {reference.digest[:8]}"
        )
    check_remote(reference.path)


def parents_of(reference: Reference) -> list[str]:
    """Digests of the artefact's inputs. Raises ArtifactDamaged when the artefact is missing."""
    return _read_manifest(reference.path).parents


class _File(TypedDict):
    size: int
    sha256: str


class _Manifest(BaseModel):
    step_key: str
    digest: str
    parents: list[str]
    files: dict[str, _File]


def _read_manifest(folder: Path) -> _Manifest:
    manifest = read_model(folder / MANIFEST, _Manifest)
    if manifest is None:
        raise ArtifactDamaged(f"there is no complete artefact in {folder}")
    return manifest


def _overall(files: dict[str, dict[str, Any]]) -> str:
    lines = "".join(f"{entry['sha256']}  {name}\n" for name, entry in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
