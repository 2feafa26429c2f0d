"""Other servers beside ours on the same questions: one at a time, and 32 at once. Each is started by its own command.

    python -m benchmarks.serving_engines MODEL --rows rows.jsonl \\
        --server "transformers serve=transformers serve {model} --continuous-batching --port {port}" \\
        --server "llama.cpp=VENV/bin/python -m llama_cpp.server --model MODEL.gguf --port {port}"

A server must answer /v1/models and /v1/chat/completions. `CPU s/r`, processor seconds for each request, suffers least when the
machine is busy; everything else needs a quiet one.
"""

import argparse
import asyncio
import os
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from benchmarks.serving_workload import HEADER, Running, conversations, measure, quiet_environment, served

START_SECONDS = 300


def main() -> None:
    """All measurements, each printed when it is done. Answers are compared with ours, one at a time."""
    options = _options()
    asked = conversations(options.rows, options.requests)
    few = asked[: options.few]
    print(f"load before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores\n{HEADER}", flush=True)
    with served(options.model, SERVING_ENGINE="transformers") as server:
        first = asyncio.run(measure("ours, one at a time", server, few, 1, options.new_tokens))
        print(first.row(first.answers), flush=True)
        result = asyncio.run(measure("ours, 32 at once", server, asked, 32, options.new_tokens))
        print(result.row(first.answers), flush=True)
    for name, command in (each.split("=", 1) for each in options.server):
        with _started(command, options.model) as server:
            for number, questions in ((1, few), (32, asked)):
                title = f"{name}, {'one at a time' if number == 1 else f'{number} at once'}"
                result = asyncio.run(measure(title, server, questions, number, options.new_tokens))
                print(result.row(first.answers), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--rows", type=Path, required=True, help="JSONL with question and context")
    parser.add_argument("--requests", type=int, default=200, help="questions at once")
    parser.add_argument("--few", type=int, default=40, help="questions one at a time")
    parser.add_argument("--new-tokens", type=int, default=64, help="longest answer")
    parser.add_argument("--server", action="append", default=[], help="NAME=COMMAND with {model} and {port}")
    return parser.parse_args()


@contextmanager
def _started(command: str, model: Path) -> Iterator[Running]:
    """The server of this command, once it lists its models."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = shlex.split(command.format(model=model.resolve(), port=port))
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=quiet_environment())
        try:
            url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"{command}: did not start: {log.read()[-2000:]}")
                time.sleep(1)
            yield Running(url, psutil.Process(process.pid), str(model.resolve()))
        finally:
            process.terminate()
            process.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/models", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
