"""Many impatient clients for minutes: no wrong answer, no lost request, memory flat.

    python -m benchmarks.serving_load MODEL --rows rows.jsonl [--seconds 300] [--clients 64]

Each of the clients sends one request after the other, half of them streamed; 5 % are malformed, 5 % are given up at a moment drawn at random.
Each right answer was asked for beforehand, one at a time. Ends with status 1 when anything is not as it must be.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.serving_workload import Conversation, Running, ask, conversations, served

CHAT = "/v1/chat/completions"
QUESTIONS = 40
MALFORMED = (b"{", b'{"messages": 1}', b'{"messages": []}', b'{"messages": [{"role": "user"}]}')
FLAT = 1.05  # memory may grow by so much from the second quarter of the time to the last one; less than a minute is too short


@dataclass
class Load:
    """What is asked, and what came of it."""

    server: Running
    asked: list[Conversation]
    right: list[str]
    new_tokens: int
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    async def client(self, number: int, until: float, http: httpx.AsyncClient) -> None:
        """One client: one request after the other, until the time is over."""
        chance = random.Random(number)
        while time.monotonic() < until:
            kind = chance.choices((self.malformed, self.given_up, self.streamed, self.whole), (5, 5, 45, 45))[0]
            try:
                self.outcomes[await kind(http, chance)] += 1
            except httpx.HTTPError as error:
                self.outcomes["lost"] += 1
                self.wrong.append(f"{kind.__name__}: {type(error).__name__}: {error}")

    async def malformed(self, http: httpx.AsyncClient, chance: random.Random) -> str:
        """What is no request is refused."""
        headers = {"Content-Type": "application/json"}
        response = await http.post(CHAT, content=chance.choice(MALFORMED), headers=headers)
        if response.status_code != 400:
            self.wrong.append(f"malformed: status {response.status_code}")
        return "malformed"

    async def given_up(self, http: httpx.AsyncClient, chance: random.Random) -> str:
        """Hang up after a while, whatever has come until then."""
        longest = statistics.median(self.seconds) if self.seconds else 1.0
        try:
            async with asyncio.timeout(chance.uniform(0, longest)):
                await self.streamed(http, chance)
        except TimeoutError:
            return "given up"
        return "answered"

    async def whole(self, http: httpx.AsyncClient, chance: random.Random) -> str:
        """An answer in one piece."""
        started, number = time.monotonic(), chance.randrange(len(self.asked))
        response = await http.post(CHAT, json=self.body(number))
        self.compare(number, response.raise_for_status().json()["choices"][0]["message"]["content"], started)
        return "answered"

    async def streamed(self, http: httpx.AsyncClient, chance: random.Random) -> str:
        """An answer in pieces."""
        started, number = time.monotonic(), chance.randrange(len(self.asked))
        text = ""
        async with http.stream("POST", CHAT, json={**self.body(number), "stream": True}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
        self.compare(number, text, started)
        return "answered"

    def body(self, number: int) -> dict[str, Any]:
        """The request for one of the questions; answers are cut at several lengths."""
        return {"messages": self.asked[number], "temperature": 0, "max_tokens": 4 + number % self.new_tokens}

    def compare(self, number: int, text: str, started: float) -> None:
        """Note the answer's time, and whether it is the right one."""
        self.seconds.append(time.monotonic() - started)
        if text != self.right[number]:
            self.wrong.append(f"question {number}: {text!r} instead of {self.right[number]!r}")

    async def watch(self, until: float) -> None:
        """Note the server's memory, a hundred times."""
        pause = (until - time.monotonic()) / 100
        while time.monotonic() < until:
            self.megabytes.append(self.server.megabytes())
            await asyncio.sleep(pause)


async def run(server: Running, asked: list[Conversation], seconds: float, clients: int, new_tokens: int) -> Load:
    """The right answers one at a time, then all clients at once."""
    async with httpx.AsyncClient(base_url=server.url, timeout=600, limits=httpx.Limits(max_connections=None)) as http:
        load = Load(server, asked, [], new_tokens)
        load.right = [(await ask(http, messages, 4 + at % new_tokens)).text for at, messages in enumerate(asked)]
        until = time.monotonic() + seconds
        await asyncio.gather(load.watch(until), *(load.client(number, until, http) for number in range(clients)))
        await asyncio.sleep(1)
        metrics = (await http.get("/metrics")).text.splitlines()
        for gauge in ("serving_running", "serving_waiting"):
            if f"{gauge} 0.0" not in metrics:
                load.wrong.append(f"{gauge} is not 0 when all is over")
    return load


def report(load: Load, seconds: float) -> bool:
    """Print what came of it. Returns whether all is as it must be."""
    latencies = statistics.quantiles(load.seconds, n=100)
    quarter = len(load.megabytes) // 4
    early = statistics.median(load.megabytes[quarter : 2 * quarter])
    late = statistics.median(load.megabytes[-quarter:])
    print(f"{sum(load.outcomes.values())} requests in {seconds:.0f} s: {dict(load.outcomes)}; {len(load.wrong)} wrong")
    print(f"latency: median {latencies[49]:.2f} s, p95 {latencies[94]:.2f} s, p99 {latencies[98]:.2f} s")
    print(f"memory: start {load.megabytes[0]:.0f} MB, second quarter {early:.0f} MB, last quarter {late:.0f} MB")
    for problem in load.wrong[:10]:
        print("WRONG", problem)
    return not load.wrong and late < FLAT * early


def main() -> int:
    """Start a server, put it under load. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--rows", type=Path, required=True, help="JSONL with question and context")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=32, help="longest answer")
    options = parser.parse_args()
    asked = conversations(options.rows, QUESTIONS)
    with served(options.model, SERVING_ENGINE="transformers") as server:
        load = asyncio.run(run(server, asked, options.seconds, options.clients, options.new_tokens))
    return 0 if report(load, options.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
