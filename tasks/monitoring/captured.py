"""Captured prompts from an endpoint's log, and the training prompts of its model, as texts to compare."""

import json
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.evaluation.registry import Registry

NEWEST = 2_000
"""Number of captured prompts to compare, and of training rows."""


def trained_on(recipe: str, model_digest: str) -> Reference | None:
    """The dataset of a model; None if the registry does not know the model, for example a base model."""
    record = Registry().read(recipe)
    entries = [*record.history, *record.before, *([record.champion] if record.champion else [])]
    return next((entry.dataset for entry in entries if entry.model.digest == model_digest), None)


def training_prompts(dataset: Reference) -> list[str]:
    """The first training rows: the file is in shuffled order, so they are a random sample."""
    return list(islice(_prompts(dataset.path / "train.parquet"), NEWEST))


def asked_prompts(log: Path, dataset: Reference) -> list[str]:
    """The newest captured prompts, without validation and test rows, which come from our own evaluation."""
    ours = {text for name in ("validation", "test") for text in _prompts(dataset.path / f"{name}.parquet")}
    newest: deque[str] = deque(maxlen=NEWEST)
    if log.exists():
        with log.open(encoding="utf-8", errors="replace") as lines:
            newest.extend(text for line in lines for text in _captured(line) if text not in ours)
    return list(newest)


def _captured(line: str) -> list[str]:
    """The captured texts in one line of the access log; empty for any other line."""
    if '"asked"' not in line:
        return []
    try:
        texts = json.loads(line).get("asked")
    except (ValueError, AttributeError, RecursionError):
        return []
    return [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []


def _prompts(path: Path) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024, columns=["prompt"]):
            for row in batch.to_pylist():
                yield "\n".join(message["content"] for message in row["prompt"])
