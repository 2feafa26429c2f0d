"""One training job on the GPU, run as a platform runs it: the training program in a process of its own."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def train(dataset: Path, model: Path, output: Path, **settings: Any) -> dict[str, Any]:
    """Train to the end; what was measured, or that it failed. The program's own lines go to the standard error as they come."""
    started = time.monotonic()
    with gpu_memory() as memory:
        done = subprocess.run(command(dataset, model, output, settings), stdout=sys.stderr, check=False, cwd=ROOT)
    seconds = round(time.monotonic() - started, 1)
    if done.returncode:
        return {"settings": settings, "seconds": seconds, "failed": (output / "output" / "failure").read_text()}
    report = json.loads((output / "model" / "training.json").read_text())
    losses = [each["loss"] for each in report["validation_losses"]]
    return {
        "settings": settings,
        "seconds": seconds,
        "phases": report["seconds"],
        "steps": report["steps"],
        "tokens": report["tokens_trained"],
        "tokens_per_second": report["tokens_per_second"],
        "loss": [round(each["loss"], 4) for each in (report["losses"][0], report["losses"][-1])],
        "validation_loss": [round(each, 4) for each in losses],
        "gpu_gib": {"torch": round(report["peak_memory_mib"].get("gpu", 0) / 1024, 2), "nvidia-smi": memory()},
        "choices": {name: choice["value"] for name, choice in report["choices"].items()},
        "checks": {name: report[name] for name in ("merge", "checks", "probes") if name in report},
    }


def command(dataset: Path, model: Path, output: Path, settings: dict[str, Any]) -> list[str]:
    """The training program on plain folders."""
    options = [f"--set={name}={value}" for name, value in settings.items()]
    folders = ["--dataset", str(dataset), "--model", str(model), "--output", str(output)]
    return [sys.executable, "-m", "finetune_flows.training", "train", *folders, *options]


@contextmanager
def gpu_memory() -> Iterator[Any]:
    """The most that the driver counts as used in the block, in GiB: CUDA's own memory is in it, which torch does not count."""
    peak, over = [0], threading.Event()
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]

    def watch() -> None:
        while not over.wait(0.3):
            peak[0] = max(peak[0], int(subprocess.run(query, capture_output=True, text=True).stdout.split()[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: round(peak[0] / 1024, 2)
    finally:
        over.set()
        thread.join()
