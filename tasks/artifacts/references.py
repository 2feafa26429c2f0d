"""References: small, frozen, JSON-able names of large things. Prefect passes and caches these, never bytes."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen

Kind = Literal["base-model", "dataset", "model", "evaluation"]


class Reference(Frozen):
    """One artefact in the store."""

    kind: Kind
    uri: str = Field(description="Folder that holds the artefact.")
    digest: str = Field(description="sha256 over the names and digests of its files.")
    size: int = Field(ge=0, description="Bytes of all its files.")
    step_key: str = Field(description="What it was made from; see tasks.artifacts.keys.")

    @property
    def path(self) -> Path:
        """The artefact's folder on this machine."""
        return Path(self.uri)
