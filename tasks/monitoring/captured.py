"""What an endpoint was asked, from its log, and what its model was trained on, as texts that can be compared."""

import json
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.evaluation.registry import Registry

NEWEST = 2_000
"""So many captured prompts are looked at, and so many training rows."""


def trained_on(recipe: str, model_digest: str) -> Reference | None:
    """The dataset of a model that the registry knows; None of others, such as a base model."""
    record = Registry().read(recipe)
    entries = [*record.history, *record.before, *([record.champion] if record.champion else [])]
    return next((entry.dataset for entry in entries if entry.model.digest == model_digest), None)


def training_prompts(dataset: Reference) -> list[str]:
    """The first training rows, which lie there in shuffled order."""
    return list(islice(_prompts(dataset.path / "train.parquet"), NEWEST))


def asked_prompts(log: Path, dataset: Reference) -> list[str]:
    """The newest captured prompts. Our own evaluation asks the held-out rows: these are left out."""
    ours = {text for name in ("validation", "test") for text in _prompts(dataset.path / f"{name}.parquet")}
    newest: deque[str] = deque(maxlen=NEWEST)
    if log.exists():
        with log.open(encoding="utf-8", errors="replace") as lines:
            newest.extend(text for line in lines for text in _captured(line) if text not in ours)
    return list(newest)


def _captured(line: str) -> list[str]:
    """The texts of one line of the access log; none of a line without, or of something else in the log."""
    if '"asked"' not in line:
        return []
    try:
        texts = json.loads(line).get("asked")
    except (ValueError, AttributeError):
        return []
    return [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []


def _prompts(path: Path) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024, columns=["prompt"]):
            for row in batch.to_pylist():
                yield "\n".join(message["content"] for message in row["prompt"])
