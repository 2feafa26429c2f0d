"""A real, tiny encoder and labelled rows for it: made in a second, nothing downloaded."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.tiny_model import tiny_tokenizer

GOOD = ("fine", "lovely", "bright", "warm", "clever", "moving")
BAD = ("dull", "weak", "noisy", "cold", "flat", "boring")
THINGS = ("film", "score", "cast", "plot", "ending", "dialogue", "camera", "story", "scene", "actor")


def build_tiny_encoder(folder: Path, seed: int = 0) -> Path:
    """Save a BERT of two layers with random float32 weights and a tokenizer in `folder`, which it returns."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = tiny_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        initializer_range=0.1,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def labelled_rows(count: int, seed: int = 5) -> list[dict[str, str]]:
    """Sentences that say something good or something bad: half of each, all different."""
    drawn = random.Random(seed)
    rows: dict[str, str] = {}
    while len(rows) < count:
        label = ("negative", "positive")[len(rows) % 2]
        word = drawn.choice(GOOD if label == "positive" else BAD)
        thing, other = drawn.sample(THINGS, 2)
        rows.setdefault(f"The {thing} and the {other} of number {drawn.randint(1, 999)} are {word}", label)
    return [{"text": text, "label": label} for text, label in rows.items()]


def classifier_recipe(folder: Path, model: Path) -> dict[str, Any]:
    """A recipe of seconds, as YAML would hold it, and its rows in `folder`."""
    source = folder / "labelled.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in labelled_rows(80)), encoding="utf-8")
    return {
        "name": "labels",
        "problem": {"kind": "text-classification", "thresholds": "best_f1"},
        "dataset": {"source": str(source), "max_tokens": 128, "test_share": 0.3, "steps": ["whitespace", "lower_case"]},
        "model": {"source": str(model)},
        "training": {"method": "full", "epochs": 6, "max_length": 128, "batch_size": 8, "learning_rate": 3e-3},
        "serving": {"expires_after_hours": 0.2},
        "gate": {"min_gain": -1},
    }


def write_labelled(folder: Path, rows: int, **task: Any) -> Path:
    """Train.parquet with `rows` rows, validation and test with a quarter as many, and task.json; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    few = rows // 4
    every = labelled_rows(rows + 2 * few)
    for split, start, count in (("train", 0, rows), ("validation", rows, few), ("test", rows + few, few)):
        records = [_record(number, **row) for number, row in enumerate(every[start : start + count], start)]
        pq.write_table(pa.Table.from_pylist(records), folder / f"{split}.parquet")
    described = {"head": "classifier", "labels": ["negative", "positive"], **task}
    (folder / "task.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def _record(number: int, text: str, label: str) -> dict[str, Any]:
    return {
        "id": f"row-{number}",
        "prompt": [{"role": "user", "content": text}],
        "completion": [{"role": "assistant", "content": label}],
        "fields": {"text": text, "labels": json.dumps([label])},
    }
