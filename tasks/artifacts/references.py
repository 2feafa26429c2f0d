"""References to artefacts: small and frozen. Prefect passes and caches these as JSON, never the bytes."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen

Kind = Literal["base-model", "dataset", "model", "evaluation"]


class Reference(Frozen):
    """A reference to one artefact in the store."""

    kind: Kind
    uri: str = Field(description="Folder that holds the artefact.")
    digest: str = Field(description="sha256 over the names and digests of its files.")
    size: int = Field(ge=0, description="Size of all its files, in bytes.")
    step_key: str = Field(description="Digest of everything that determined it; see tasks.base.values.step_key.")

    @property
    def path(self) -> Path:
        """The artefact's folder on this machine."""
        return Path(self.uri)
