"""The registry: for each recipe name the champion, the previous champions, and every decision and switch with its reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import RegistryError, TryLater
from finetune_flows.tasks.base.files import home, locked, read_model, write_json
from finetune_flows.tasks.base.paths import directly_in
from finetune_flows.tasks.base.values import Frozen, now
from finetune_flows.tasks.evaluation.gate import Decision


class Entry(Frozen):
    """One decision on one candidate, and everything needed to serve the candidate again."""

    decided_at: datetime
    recipe: dict[str, Any] = Field(description="The resolved recipe.")
    dataset: Reference
    model: Reference
    endpoint: str = Field(description="Name of the endpoint that was evaluated.")
    base_evaluation: Reference
    evaluation: Reference
    decision: Decision

    def same_as(self, other: "Entry") -> bool:
        """Equal, apart from the time."""
        return self.model_copy(update={"decided_at": other.decided_at}) == other


class Switch(Frozen):
    """One change of the champion, or a person's rejection of a candidate."""

    at: datetime
    action: Literal["promoted", "rolled back", "rejected"]
    model: str = Field(description="Digest of the model that serves from then on, or of the rejected one.")
    reason: str


class Record(Frozen):
    """Everything on record for one recipe name."""

    champion: Entry | None = None
    before: list[Entry] = Field(
        default=[], description="The previous champions, the latest last. Rollback returns to the latest."
    )
    history: list[Entry] = Field(default=[], description="Every decision, the latest last.")
    switches: list[Switch] = Field(
        default=[], description="Every change of the champion, and every rejection, the latest last."
    )
    switching: bool = Field(
        default=False, description="True until the address leads to the champion: a change is under way or was cut off."
    )


_BUSY_SECONDS = 2.0


class Registry:
    """A folder with one JSON file for each recipe name. A lock puts simultaneous changes one after the other."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home() / "registry"

    def read(self, recipe: str) -> Record:
        """The record; an empty one if there was no decision yet, or if the file is damaged."""
        return read_model(self._file(recipe), Record) or Record()

    def recipes(self) -> list[str]:
        """Names of the recipes that have a record."""
        return sorted(path.stem for path in self.root.glob("*.json"))

    def record(self, recipe: str, entry: Entry) -> None:
        """Adds a decision, unless it equals the last one. The champion does not change."""
        with self._changing(recipe) as record:
            # A repeated run finds everything cached and decides the same again: history shows it once.
            if not (record.history and record.history[-1].same_as(entry)):
                self._write(recipe, record, history=[*record.history, entry])

    def promote(self, recipe: str, entry: Entry, reason: str) -> None:
        """Makes a candidate the champion. The previous champion stays on record, for a rollback."""
        with self._changing(recipe) as record:
            if record.champion is not None and record.champion.model == entry.model:
                self._write(recipe, record, champion=entry, switching=True)
                return
            before = [*record.before, record.champion] if record.champion else record.before
            switch = Switch(at=now(), action="promoted", model=entry.model.digest, reason=reason)
            self._write(
                recipe, record, champion=entry, before=before, switches=[*record.switches, switch], switching=True
            )

    def reject(self, recipe: str, model: Reference, reason: str) -> None:
        """Records that a person rejected a candidate. The champion does not change."""
        with self._changing(recipe) as record:
            switch = Switch(at=now(), action="rejected", model=model.digest, reason=reason)
            self._write(recipe, record, switches=[*record.switches, switch])

    def roll_back(self, recipe: str, reason: str) -> Entry:
        """Makes the previous champion the champion again, and returns it.

        Raises:
            RegistryError: there is no previous champion.
        """
        with self._changing(recipe) as record:
            if not record.before:
                raise RegistryError(
                    f"{recipe} has no previous champion to return to; `finetune history {recipe}` shows all changes"
                )
            *before, entry = record.before
            switch = Switch(at=now(), action="rolled back", model=entry.model.digest, reason=reason)
            self._write(
                recipe, record, champion=entry, before=before, switches=[*record.switches, switch], switching=True
            )
            return entry

    def switched(self, recipe: str) -> None:
        """Records that the address leads to the champion."""
        with self._changing(recipe) as record:
            self._write(recipe, record, switching=False)

    @contextmanager
    def switch(self, recipe: str, seconds: float = _BUSY_SECONDS) -> Iterator[Record]:
        """The only change of the recipe's champion on this machine while the block runs. Yields the record before it.

        `seconds`: how long to wait for another change to end.

        Raises:
            RegistryError: another change is under way.
        """
        try:
            with locked(self._file(recipe).with_name(f".{recipe}.switch.lock"), seconds):
                yield self.read(recipe)
        except TryLater:
            raise RegistryError(
                f"another command is changing the champion of {recipe} now; `finetune history {recipe}` shows the result"
            ) from None

    @contextmanager
    def _changing(self, recipe: str) -> Iterator[Record]:
        with locked(self._file(recipe).with_name(f".{recipe}.lock")):
            record = read_model(self._file(recipe), Record)
            if record is None and self._file(recipe).exists():
                # Damaged: kept for a person to look at, because the new record knows nothing of what was in it.
                self._file(recipe).replace(self.root / f"{recipe}.json.damaged-{now():%Y%m%d-%H%M%S}")
            yield record or Record()

    def _write(self, recipe: str, record: Record, **changes: Any) -> None:
        write_json(self._file(recipe), record.model_copy(update=changes).model_dump(mode="json"))

    def _file(self, recipe: str) -> Path:
        return directly_in(self.root, recipe).with_name(f"{recipe}.json")
