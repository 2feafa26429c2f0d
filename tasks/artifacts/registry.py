"""The registry: per recipe name the champion, and every decision with its reasons."""

import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tasks.artifacts.references import Reference
from tasks.artifacts.store import home, locked, write_json
from tasks.evaluation.gate import Decision


class Entry(BaseModel):
    """One decision on one candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decided_at: datetime
    model: Reference
    endpoint: str = Field(description="Name of the endpoint that was judged.")
    base_evaluation: Reference
    evaluation: Reference
    decision: Decision

    def same_as(self, other: "Entry") -> bool:
        """Equal but for the time."""
        return self.model_copy(update={"decided_at": other.decided_at}) == other


class Record(BaseModel):
    """All that is known of one recipe name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    champion: Entry | None = None
    history: list[Entry] = []


class Registry:
    """A folder with one JSON file for each recipe name. Two decisions at once are made one after the other."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home() / "registry"

    def read(self, recipe: str) -> Record:
        """The record; an empty one when nothing was ever decided."""
        try:
            return Record.model_validate(json.loads(self._file(recipe).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Record()

    def recipes(self) -> list[str]:
        """Names that have a record."""
        return sorted(path.stem for path in self.root.glob("*.json"))

    def record(self, recipe: str, entry: Entry) -> Entry | None:
        """Adds a decision, unless the last one was the same, and returns the champion that it replaced, if any."""
        with locked(self.root / f".{recipe}.lock"):
            record = self.read(recipe)
            if record.history and record.history[-1].same_as(entry):
                return None
            champion = entry if entry.decision.passed else record.champion
            changed = Record(champion=champion, history=[*record.history, entry])
            write_json(self._file(recipe), changed.model_dump(mode="json"))
            return record.champion if entry.decision.passed else None

    def _file(self, recipe: str) -> Path:
        return self.root / f"{recipe}.json"


def now() -> datetime:
    """The time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
