"""What a compiled classifier saves: the same model through our server, by torch, as an ONNX graph and in 8 bits, in one run.

    python -m benchmarks.compiled_classifier MODEL --rows rows.jsonl

MODEL is a folder with a classifier as the training job saves it, without a graph; rows have text and label. Each line has a fresh server.
Latency is that of one text at a time, throughput that of 16 requests at once. Labels are compared with those of the first line, and
the accuracy difference has its 95 % interval (Newcombe's, paired).
"""

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.serving_workload import served
from finetune_flows.tasks.base.statistics import Comparison
from finetune_flows.training.compilation import Validation, compile_classifier

WAYS = ("none", "onnx", "onnx-int8")
AT_ONCE = 16


def main() -> None:
    """One line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rows.read_text(encoding="utf-8").splitlines()]
    texts, first = [row["text"] for row in rows], []
    gold = [str(row["label"]) for row in rows]
    print(
        f"{'':10s} one p50 ms   p95 ms   req/s at {AT_ONCE}   model MB   other labels   accuracy difference", flush=True
    )
    for way in WAYS:
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model"
            shutil.copytree(options.model, model)
            if way != "none":
                compile_folder(model, way)
            with served(model) as server:
                labels, single, rate = measure(server.url, texts)
            size = (model / ("model.safetensors" if way == "none" else "model.onnx")).stat().st_size
        first = first or labels
        names = json.loads((options.model / "config.json").read_text())["id2label"]
        print(line(way, labels, first, named(gold, names), single, rate, size), flush=True)


def named(gold: list[str], names: dict[str, str]) -> list[str]:
    """The rows' labels as the model calls them: by name, or by number."""
    return gold if set(gold) <= set(names.values()) else [names[label] for label in gold]


def compile_folder(folder: Path, way: str) -> None:
    """Leaves the graph beside the weights, whatever it loses: that is what is measured here."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    nothing = np.zeros((1, 1), bool)
    row = [{"input_ids": [1, 2, 3]}]
    logits = torch.zeros(1, model.config.num_labels)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    validation = Validation(row, logits, nothing, lambda _: nothing)
    print(compile_classifier(model, tokenizer, folder, way, validation, 1.0)["because"], flush=True)


def measure(url: str, texts: list[str]) -> tuple[list[str], list[float], float]:
    """The label of each text, seconds of each when asked alone (the first 200), and requests per second at AT_ONCE."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for text in texts[:5]:
            client.post("/invocations", json={"inputs": text})
        single = []
        for text in texts[:200]:
            began = time.perf_counter()
            client.post("/invocations", json={"inputs": text}).raise_for_status()
            single.append(time.perf_counter() - began)
    labels, seconds = asyncio.run(all_at_once(url, texts))
    return labels, single, len(texts) / seconds


async def all_at_once(url: str, texts: list[str]) -> tuple[list[str], float]:
    """Every text once, AT_ONCE requests under way."""
    places = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def one(text: str) -> str:
            async with places:
                reply: list[dict[str, Any]] = (await client.post("/invocations", json={"inputs": text})).json()
                return str(next(item["label"] for item in reply if item["chosen"]))

        began = time.perf_counter()
        labels = await asyncio.gather(*(one(text) for text in texts))
        return list(labels), time.perf_counter() - began


def line(
    way: str, labels: list[str], first: list[str], gold: list[str], single: list[float], rate: float, size: int
) -> str:
    """The figures of one way."""
    found = Comparison.of((a == g, b == g) for a, b, g in zip(first, labels, gold, strict=True))
    other = sum(a != b for a, b in zip(labels, first, strict=True))
    p50, p95 = 1e3 * statistics.median(single), 1e3 * sorted(single)[int(0.95 * len(single))]
    interval = (
        f"{100 * found.difference:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f}), n = {found.n}"
    )
    return f"{way:10s} {p50:10.1f} {p95:8.1f} {rate:13.1f} {size / 1e6:10.1f} {other:14d}   {interval}"


if __name__ == "__main__":
    main()
