"""What the serving benchmarks share: questions, a running server, and how asking it is measured."""

import asyncio
import json
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
import psutil

ROOT = Path(__file__).parents[1]
INSTRUCTION = "You are a text-to-SQL translator. Answer the question with one SQL query for this schema, and nothing else.\nSCHEMA:\n"
Conversation = list[dict[str, str]]


def conversations(rows: Path, count: int, shared_schema: bool = False) -> list[Conversation]:
    """The first rows of a JSONL file with question and context; optionally all with one long schema, made of ten of them."""
    lines = rows.read_text(encoding="utf-8").splitlines()[:count]
    asked = [json.loads(line) for line in lines]
    schema = "; ".join(row["context"] for row in asked[:10])
    return [
        [
            {"role": "system", "content": INSTRUCTION + (schema if shared_schema else row["context"])},
            {"role": "user", "content": row["question"]},
        ]
        for row in asked
    ]


@dataclass(frozen=True)
class Answer:
    """One answered request."""

    text: str
    seconds: float
    tokens: int
    cached: int = 0


@dataclass(frozen=True)
class Measured:
    """One way of answering, and what it took."""

    name: str
    answers: list[Answer]
    seconds: float
    cpu_seconds: float

    @property
    def requests_per_second(self) -> float:
        """Answers in a second of the clock."""
        return len(self.answers) / self.seconds

    def row(self, reference: list[Answer]) -> str:
        """A line of the table; `reference` has the answers that these are compared with."""
        latencies = sorted(answer.seconds for answer in self.answers)
        tokens = sum(answer.tokens for answer in self.answers)
        pairs = list(zip(self.answers, reference, strict=False))
        same = sum(one.text.strip() == other.text.strip() for one, other in pairs)
        return (
            f"{self.name:44s} {len(self.answers):4d} {self.seconds:7.1f} {self.requests_per_second:6.2f} "
            f"{tokens / self.seconds:7.1f} {self.cpu_seconds / len(self.answers):6.2f} "
            f"{statistics.median(latencies):6.2f} {latencies[int(0.95 * (len(latencies) - 1))]:6.2f}  {same}/{len(pairs)}"
        )


HEADER = f"{'':44s}    n seconds  req/s   tok/s CPU s/r    p50    p95  same answers"


def quiet_environment() -> dict[str, str]:
    """Without what tests set so that they disturb each other less: every program waits for its threads as it chooses."""
    return {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}


@dataclass(frozen=True)
class Running:
    """A server that runs, as a process of its own."""

    url: str
    process: psutil.Process
    model: str = "model"  # its name in requests

    def family(self) -> list[psutil.Process]:
        """The server and the processes it has started."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Of the whole family so far."""
        return sum(sum(each.cpu_times()[:2]) for each in self.family())

    def megabytes(self) -> float:
        """Resident memory of the whole family."""
        return sum(each.memory_info().rss for each in self.family()) / 2**20


@contextmanager
def served(model: Path, python: str = sys.executable, **environment: str) -> Iterator[Running]:
    """A server for this model folder, with these variables."""
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "model").symlink_to(model.resolve(), target_is_directory=True)
        command = [python, "-m", "finetune_flows.containers.serving", "--root", root, "--port", "0"]
        variables = {**quiet_environment(), "SERVING_ACCESS_LOG": "off", **environment}
        log = (Path(root) / "log").open("w+")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=variables)
        assert process.stdout
        line = next((line for line in process.stdout if line.startswith("serving ")), "")
        if not line:
            log.seek(0)
            raise SystemExit(f"the server ended with status {process.wait()}: {log.read()[-2000:]}")
        try:
            yield Running(line.split(" on ")[1].split(" ")[0], psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


async def ask(client: httpx.AsyncClient, messages: Conversation, new_tokens: int, model: str = "model") -> Answer:
    """One request, greedy."""
    started = time.monotonic()
    body: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0, "max_tokens": new_tokens}
    reply = (await client.post("/v1/chat/completions", json=body)).raise_for_status().json()
    usage = reply["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    text = reply["choices"][0]["message"]["content"]
    return Answer(text, time.monotonic() - started, usage["completion_tokens"], cached)


async def measure(name: str, server: Running, asked: list[Conversation], concurrency: int, new_tokens: int) -> Measured:
    """Ask all of them, so many at once."""
    places = asyncio.Semaphore(concurrency)

    async def one(messages: Conversation) -> Answer:
        async with places:
            return await ask(client, messages, new_tokens, server.model)

    async with httpx.AsyncClient(base_url=server.url, timeout=3600) as client:
        await ask(client, [{"role": "user", "content": "Warm up."}], 4, server.model)
        started, cpu = time.monotonic(), server.cpu_seconds()
        answers = await asyncio.gather(*map(one, asked))
        return Measured(name, list(answers), time.monotonic() - started, server.cpu_seconds() - cpu)
