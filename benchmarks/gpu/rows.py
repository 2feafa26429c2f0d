"""A small model learns real rows on one GPU, is interrupted, resumed, served and asked.

    python -m benchmarks.gpu.rows --base DIR --dataset DIR --questions test.jsonl --output DIR

Base: a model folder (`python -m finetune_flows.training stage` makes one of a GGUF file). Dataset: as a run prepares it. Questions: rows with question
and context. Prints a JSON object for each part, and leaves the answers of each model in OUTPUT/answers-NAME.jsonl, a line for each
question: `python -m benchmarks.gpu.score` judges them by running the SQL, on any machine.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.job import ROOT, command, train
from benchmarks.serving_workload import HEADER, conversations, measure, served

# A model this small keeps a GPU waiting for its next kernel: large batches, and nothing computed twice.
EACH = {"batch_size": 32, "max_length": 512, "epochs": 2, "validation_every": 1000, "gradient_checkpointing": "off"}
JOBS = {
    "qlora": {**EACH, "method": "qlora", "learning_rate": 1e-3},
    "full": {**EACH, "method": "full", "learning_rate": 5e-5},
    "lora": {**EACH, "method": "lora", "learning_rate": 1e-3, "merge": "reload"},
    "sdpa": {
        **EACH,
        "method": "qlora",
        "learning_rate": 1e-3,
        "attention": "sdpa",
        "max_steps": 40,
        "merge": "none",
    },
    "padded": {
        **EACH,
        "method": "qlora",
        "learning_rate": 1e-3,
        "batching": "length_grouping",
        "max_steps": 60,
        "merge": "none",
    },
}
INTERRUPTED_AFTER = 20  # steps


def main() -> None:
    """All parts; one that fails leaves the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--parts", default="qlora,base:serve,qlora:serve,resume,full,full:serve,padded,lora")
    parser.add_argument("--count", type=int, default=1000, help="questions")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print(HEADER, flush=True)
    for part in options.parts.split(","):
        name, _, serve = part.partition(":")
        if serve:
            ask(options, name)
        elif name == "resume":
            print(json.dumps({"part": part} | resume(options)), flush=True)
        else:
            print(json.dumps({"part": part} | train(*folders(options, name), **JOBS[name])), flush=True)


def folders(options: argparse.Namespace, name: str) -> tuple[Path, Path, Path]:
    """Data, base model and output of a job."""
    return options.dataset, options.base, options.output / name


def resume(options: argparse.Namespace) -> dict[str, Any]:
    """The QLoRA job again, stopped in the middle as a platform stops it, and carried on."""
    settings = {**JOBS["qlora"], "merge": "none"}
    arguments = command(*folders(options, "resumed"), settings)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        assert process.stdout
        reached = (line for line in process.stdout if line.startswith("step="))
        at = next(line for line in reached if int(line.split()[0].removeprefix("step=")) >= INTERRUPTED_AFTER)
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        process.stdout.read()
    stopped = {
        "stopped_at": at.split()[0],
        "exit": process.returncode,
        "stop_seconds": round(time.monotonic() - started, 1),
    }
    return stopped | train(*folders(options, "resumed"), **settings)


def ask(options: argparse.Namespace, name: str) -> None:
    """Serve a model and ask it all questions, 32 at once; the base, for comparison, also one by one."""
    model = options.base if name == "base" else options.output / name / "model" / "model"
    asked = conversations(options.questions, options.count)
    with served(model, SERVING_ENGINE="transformers") as server:
        if name == "base":
            one_by_one = asyncio.run(measure(f"{name}, one by one", server, asked[:20], 1, 96))
            print(one_by_one.row(one_by_one.answers), flush=True)
        measured = asyncio.run(measure(f"{name}, 32 at once", server, asked, 32, 96))
    print(measured.row(measured.answers), flush=True)
    lines = [json.dumps({"answer": answer.text}) + "\n" for answer in measured.answers]
    (options.output / f"answers-{name}.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
