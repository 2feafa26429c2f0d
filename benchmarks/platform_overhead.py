"""What a container costs beside a plain process: the same small job on both platforms.

    python -m benchmarks.platform_overhead --base-image python:3.11-slim

Seconds from asking for the job to its first step (start-up, imports and loading included), and to its end. The images are
built beforehand and not counted. Prints one JSON object; the order of the platforms alternates.
"""

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.contract import Labels, Platform, TrainingJob
from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.platforms.docker.images import find_image
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.sections.platforms import DockerPlatform
from tests.support.tiny_model import build_tiny_model, write_tiny_dataset


def main() -> None:
    """Runs the job on both, several times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-image", default="python:3.11-slim")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part in ("model", "rows", "process"):
            (root / part).mkdir()
        docker = DockerRunner(DockerPlatform(base_image=arguments.base_image), root / "docker")
        find_image(docker.client, "training", None, arguments.base_image)
        job = small_job(build_tiny_model(root / "model"), write_tiny_dataset(root / "rows", 40))
        platforms: dict[str, Platform] = {"process": ProcessRunner(root=root / "process"), "docker": docker}
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in platforms}
        for number in range(arguments.rounds):
            for name in list(platforms)[:: -1 if number % 2 else 1]:
                measured[name].append(seconds(platforms[name], job.model_copy(update={"name": f"job-{number}"})))
    print(json.dumps({name: summary(times) for name, times in measured.items()}))


def small_job(model: Path, rows: Path) -> TrainingJob:
    """Two steps of a model of 105,000 weights: what is left is overhead."""
    return TrainingJob(
        name="job",
        hyperparameters={"method": "full", "max_steps": "2", "batch_size": "2", "max_length": "256"},
        channels={"model": model, "dataset": rows},
        checkpoints="job",
        max_runtime_seconds=600,
        labels=Labels(recipe="r", step_key="k", flow_run="f", expires_at=datetime.now(UTC) + timedelta(hours=1)),
    )


def seconds(platform: Platform, job: TrainingJob) -> tuple[float, float]:
    """To the first step, and to the end."""
    started = time.monotonic()
    steps: list[float] = []

    def read_line(line: str) -> None:
        if line.startswith("step="):
            steps.append(time.monotonic() - started)

    name = run_job(platform, job, read_line, lambda words: None)
    ended = time.monotonic() - started
    platform.remove_job(name)
    return steps[0], ended


def summary(times: list[tuple[float, float]]) -> dict[str, float]:
    """Medians, in seconds."""
    first, end = zip(*times, strict=True)
    return {"to_first_step": round(statistics.median(first), 2), "to_end": round(statistics.median(end), 2)}


if __name__ == "__main__":
    main()
