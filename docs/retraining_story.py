"""What happens to a model over the weeks, in minutes: trained, retrained on new rows, guarded against poisoned ones, rolled back.

    python docs/retraining_story.py [--rows 300]

A classifier of reviews on this machine's CPU. A client calls the champion's address all the while, and counts. Artefacts go to
FINETUNE_HOME as ever; the rows to a temporary folder.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")  # the server that is started here reports to nobody
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "sentiment")]

from make_rows import review  # noqa: E402

from finetune_flows.flows.finetune import Outcome, finetune  # noqa: E402
from finetune_flows.flows.promote import rollback  # noqa: E402
from finetune_flows.flows.retrain import retrain  # noqa: E402
from finetune_flows.tasks.recipe import Recipe, load_recipe  # noqa: E402


class Story:
    """Rows that come in week by week, and what became of each."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "rows.jsonl"
        self.drawn = random.Random(7)
        self.known: set[str] = set()
        self.told: list[str] = []

    def recipe(self) -> Recipe:
        """recipes/sentiment.yaml for these rows. The champion counts here, not the baseline: 15 points are what 90 rows can show."""
        settings = {
            "name": "story",
            "dataset.source": str(self.file),
            "training.epochs": 6,
            "gate.min_gain": -1,
            "gate.min_score": 0.5,
            "gate.max_loss": 0.15,
        }
        return load_recipe(
            ROOT / "recipes/sentiment.yaml", [f"{key}={json.dumps(value)}" for key, value in settings.items()]
        )

    def rows_come_in(self, count: int, poisoned: bool = False) -> None:
        """Appends `count` new reviews; the labels of a poisoned batch say the opposite."""
        with self.file.open("a", encoding="utf-8") as file:
            while count:
                good = count % 2 == 0
                text = review(self.drawn, good)
                if text not in self.known:
                    self.known.add(text)
                    label = "positive" if good != poisoned else "negative"
                    file.write(json.dumps({"text": text, "label": label}) + "\n")
                    count -= 1

    def tell(self, what: str, outcome: Outcome | None) -> None:
        """One line of the story."""
        decided = "nothing new" if outcome is None else "promoted" if outcome.promoted else "refused"
        self.told.append(f"{what}: {decided}")
        reasons = [] if outcome is None else outcome.reasons
        print("\n".join([self.told[-1], *(f"    {reason}" for reason in reasons)]), flush=True)


@contextmanager
def calling(address: str) -> Iterator[Counter[str]]:
    """A client that asks all the while; counts answers and failures."""
    counted: Counter[str] = Counter()
    stop = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=address, timeout=120) as client:
            while not stop.wait(0.2):
                try:
                    client.post("/invocations", json={"inputs": "The soup was lovely."}).raise_for_status()
                    counted["answered"] += 1
                except httpx.HTTPError as error:
                    counted[f"failed: {type(error).__name__}: {error}"] += 1

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield counted
    finally:
        stop.set()
        thread.join()


def tell(folder: Path, rows: int) -> tuple[list[str], Counter[str]]:
    """The whole story: its lines, and what the client counted."""
    story = Story(folder)
    story.rows_come_in(rows)
    first = finetune(story.recipe())
    story.tell(f"{rows} rows, first model", first)
    assert first.address is not None, "the first model must serve for the story to go on"
    with calling(first.address) as counted:
        story.tell("no new rows", retrain(story.recipe()).outcome)
        story.rows_come_in(rows)
        story.tell(f"{rows} new rows", retrain(story.recipe()).outcome)
        story.rows_come_in(2 * rows, poisoned=True)
        story.tell(f"{2 * rows} poisoned rows", retrain(story.recipe()).outcome)
        alias = rollback("story", "the story wants it")
        story.told.append(f"rolled back: {alias.url} leads to {alias.endpoint}")
        print(story.told[-1])
    print(f"meanwhile the client counted {dict(counted)}")
    return story.told, counted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=300, help="rows of a week")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        tell(Path(temporary), options.rows)
