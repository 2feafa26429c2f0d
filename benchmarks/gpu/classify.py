"""Classifiers learn real rows on one GPU, are served there and asked all test rows.

    python -m benchmarks.gpu.classify --output DIR --questions test.jsonl NAME=BASE,DATASET ...

NAME is one of the jobs below; BASE a model folder, DATASET as a run prepares it. Prints a JSON object for each.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from benchmarks.compiled_classifier import measure, named
from benchmarks.gpu.job import train
from benchmarks.serving_workload import served

EACH = {"batch_size": 32, "max_length": 128, "epochs": 3, "keep": "best", "best_by": "accuracy", "validation_every": 20}
JOBS: dict[str, dict[str, Any]] = {
    "encoder": {**EACH, "method": "full", "learning_rate": 1e-4, "epochs": 8},
    "decoder-qlora": {**EACH, "method": "qlora", "learning_rate": 5e-4, "lora_r": 16, "lora_alpha": 32},
    "decoder-lora": {**EACH, "method": "lora", "learning_rate": 5e-4, "lora_r": 16, "lora_alpha": 32},
    "decoder-full": {**EACH, "method": "full", "learning_rate": 3e-5},
}


def main() -> None:
    """One after the other; one that fails leaves the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("jobs", nargs="+")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.questions.read_text(encoding="utf-8").splitlines()]
    for job in options.jobs:
        name, _, folders = job.partition("=")
        base, dataset = map(Path, folders.split(","))
        told = train(dataset, base, options.output / name, **JOBS[name])
        if "failed" not in told:
            told |= asked(options.output / name / "model" / "model", rows)
        print(json.dumps({"job": name} | told), flush=True)


def asked(model: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy on all rows through our own server, with Wilson's interval, and how fast it answers."""
    names = json.loads((model / "config.json").read_text(encoding="utf-8"))["id2label"]
    gold = named([str(row["label"]) for row in rows], names)
    with served(model) as server:
        labels, single, rate = measure(server.url, [row["text"] for row in rows])
    right = sum(label == true for label, true in zip(labels, gold, strict=True))
    interval = binomtest(right, len(rows)).proportion_ci(method="wilson")
    return {
        "accuracy": [round(float(value), 3) for value in (right / len(rows), interval.low, interval.high)],
        "one_by_one_ms": round(1e3 * sorted(single)[len(single) // 2], 1),
        "requests_per_second": round(rate, 1),
    }


if __name__ == "__main__":
    main()
