"""Requests and tokens per second of the embedded server: one client after the other, and 32 at once.

    python benchmarks/serving_throughput.py /path/to/model/folder

Starts the server on a free port with 32 text-to-SQL prompts of about 110 tokens under the model's own chat template; greedy,
64 new tokens at most. The sequential figures are of the first 8 prompts. Compare only what ran on the same quiet machine.
"""

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

INSTRUCTION = (
    "You are a text-to-SQL translator. Answer with one SQL query for this schema, and nothing else.\nSCHEMA:\n"
)
TABLES = {
    "ships": "name TEXT, length REAL, port TEXT, built INTEGER",
    "teachers": "name TEXT, age INTEGER, school TEXT, salary REAL",
    "rivers": "name TEXT, length REAL, country TEXT, depth REAL",
    "films": "title TEXT, year INTEGER, director TEXT, budget REAL",
}
QUESTIONS = (
    "How many {table} are there with a value of more than {n}?",
    "List the first {n} {table} in alphabetical order.",
    "Which {table} belong to an owner who lives in Norway, and which of them are among the largest {n}?",
    "What is the average of all numbers over {n} that are stored for the {table} whose owner has no country?",
)


@dataclass(frozen=True)
class Answer:
    """One answered request."""

    seconds: float
    prompt_tokens: int
    completion_tokens: int


def prompts(count: int) -> list[list[dict[str, str]]]:
    """Made-up conversations of mixed length."""
    made = []
    for number in range(count):
        table, columns = list(TABLES.items())[number % len(TABLES)]
        schema = f"CREATE TABLE {table} ({columns}, owner INTEGER); CREATE TABLE owners (id INTEGER, name TEXT, country TEXT)"
        question = QUESTIONS[number // len(TABLES) % len(QUESTIONS)].format(table=table, n=number + 2)
        made.append([{"role": "system", "content": INSTRUCTION + schema}, {"role": "user", "content": question}])
    return made


@contextmanager
def served(model: Path) -> Iterator[str]:
    """The address of a server for this model folder."""
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "model").symlink_to(model.resolve(), target_is_directory=True)
        command = [sys.executable, "-m", "containers.serving", "--root", root, "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
        assert process.stdout
        started = time.monotonic()
        line = process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"the server ended with status {process.wait()}")
        print(f"{line}, ready after {time.monotonic() - started:.1f} s")
        try:
            yield line.split(" on ")[1].split(" ")[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


async def ask(client: httpx.AsyncClient, messages: list[dict[str, str]], new_tokens: int) -> Answer:
    """One request."""
    started = time.monotonic()
    body: dict[str, Any] = {"messages": messages, "temperature": 0, "max_tokens": new_tokens}
    response = await client.post("/v1/chat/completions", json=body)
    usage = response.raise_for_status().json()["usage"]
    return Answer(time.monotonic() - started, usage["prompt_tokens"], usage["completion_tokens"])


async def measure(url: str, conversations: list[list[dict[str, str]]], concurrency: int, new_tokens: int) -> None:
    """Ask all of them, so many at once, and print the figures."""
    places = asyncio.Semaphore(concurrency)

    async def one(messages: list[dict[str, str]]) -> Answer:
        async with places:
            return await ask(client, messages, new_tokens)

    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        started = time.monotonic()
        answers = await asyncio.gather(*map(one, conversations))
        seconds = time.monotonic() - started
    read, generated = (sum(getattr(a, name) for a in answers) for name in ("prompt_tokens", "completion_tokens"))
    latencies = sorted(answer.seconds for answer in answers)
    print(
        f"concurrency {concurrency:3d}: {len(answers)} requests, {read / len(answers):.0f} prompt and "
        f"{generated / len(answers):.0f} new tokens each, {seconds:.1f} s: {len(answers) / seconds:.2f} requests/s, "
        f"{generated / seconds:.1f} new tokens/s; latency median {statistics.median(latencies):.1f} s, "
        f"longest {latencies[-1]:.1f} s"
    )


async def main() -> None:
    """Both measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="model folder, as the training job saves it")
    parser.add_argument("--requests", type=int, default=32, help="how many, all at once")
    parser.add_argument("--new-tokens", type=int, default=64, help="longest answer")
    options = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    conversations = prompts(options.requests)
    with served(options.model) as url:
        await measure(url, conversations[:2], 1, 4)  # warm up
        await measure(url, conversations, options.requests, options.new_tokens)
        await measure(url, conversations[:8], 1, options.new_tokens)


if __name__ == "__main__":
    asyncio.run(main())
