"""Many impatient and rude clients for minutes: no wrong answer, no lost request, memory flat.

    python -m benchmarks.serving_load MODEL --rows rows.jsonl [--seconds 300] [--clients 64] [--alias]

Each client sends one request after the other: 40 % whole, 40 % streamed, 10 % nonsense, 5 % with a body that arrives slowly, and
5 % that are given up at a moment drawn at random. Each right answer is computed beforehand, one request at a time. With --alias
the requests go through the lasting address of a champion, which changes between two servers every few seconds.
Ends with status 1 when an answer is wrong, a request is lost or fails, or memory grows.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.serving_workload import Conversation, Running, ask, conversations, served
from finetune_flows.tasks.platforms.contract import Alias, Endpoint, EndpointSpec, Labels
from finetune_flows.tasks.platforms.local.aliases import LocalAliases
from finetune_flows.tasks.sections.stages import ServingSection

CHAT = "/v1/chat/completions"
QUESTIONS = 40
NONSENSE = (
    b"{", b"[]", b"", b"\xff\xfe", b'{"messages": 1}', b'{"messages": []}', b'{"messages": [{"role": "user"}]}',
    b'{"messages": [{"role": "user", "content": "x"}], "temperature": -1}', b"[" * 50_000, b'{"a": "' + b"x" * 200_000 + b'"}',
)  # fmt: skip
MOST_GROWTH = 1.2  # from the end of the first minute to the end
SWITCH_SECONDS = 5.0
Champion = Callable[[int], Alias]


@dataclass
class Load:
    """What is asked, and what came of it."""

    url: str
    processes: Sequence[Running]
    asked: list[Conversation]
    right: list[str]
    new_tokens: int
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    megabytes: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, and the memory of all processes."""

    async def client(self, number: int, until: float, http: httpx.AsyncClient) -> None:
        """One client: one request after the other, until the time is over."""
        chance = random.Random(number)
        kinds = (self.whole, self.streamed, self.nonsense, self.slow, self.given_up)
        while time.monotonic() < until:
            kind = chance.choices(kinds, (40, 40, 10, 5, 5))[0]
            try:
                self.outcomes[await kind(http, chance)] += 1
            except httpx.HTTPStatusError as error:
                self.outcomes[f"status {error.response.status_code}"] += 1
                self.wrong.append(f"{kind.__name__}: {error.response.status_code}")
            except httpx.HTTPError as error:
                self.outcomes["lost"] += 1
                self.wrong.append(f"{kind.__name__}: {type(error).__name__}: {error}")

    async def nonsense(self, http: httpx.AsyncClient, chance: random.Random) -> str:
        """What is no request is refused."""
        headers = {"Content-Type": "application/json"}
        response = await http.post(CHAT, content=chance.choice(NONSENSE), headers=headers)
        if response.status_code != 400:
            self.wrong.append(f"nonsense: status {response.status_code}")
        return "refused"

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
        self.compare(number, _text(await http.post(CHAT, json=self.body(number))), started)
        return "answered"

    async def slow(self, http: httpx.AsyncClient, chance: random.Random) -> str:
        """An answer in one piece, to a body that arrives in pieces over seconds."""
        number = chance.randrange(len(self.asked))
        whole, pause = json.dumps(self.body(number)).encode(), chance.uniform(0.1, 0.5)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(whole), len(whole) // 8 + 1):
                yield whole[start : start + len(whole) // 8 + 1]
                await asyncio.sleep(pause)

        headers = {"Content-Type": "application/json"}
        self.compare(number, _text(await http.post(CHAT, content=pieces(), headers=headers)), None)
        return "answered slowly"

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

    def compare(self, number: int, text: str, started: float | None) -> None:
        """Note the answer's time, and whether it is the right one."""
        if started is not None:
            self.seconds.append(time.monotonic() - started)
        if text != self.right[number]:
            self.wrong.append(f"question {number}: {text!r} instead of {self.right[number]!r}")

    async def watch(self, until: float) -> None:
        """Note the memory of servers and forwarder twice a second."""
        started = time.monotonic()
        while time.monotonic() < until:
            memory = sum(process.megabytes() for process in self.processes)
            self.megabytes.append((time.monotonic() - started, memory))
            await asyncio.sleep(0.5)

    def memory(self, first: float, last: float) -> float:
        """Median of the memory between these seconds, in MB."""
        return statistics.median(size for at, size in self.megabytes if first <= at <= last)


def _text(response: httpx.Response) -> str:
    text: str = response.raise_for_status().json()["choices"][0]["message"]["content"]
    return text


@contextmanager
def aliased(servers: Sequence[Running]) -> Iterator[tuple[Running, Champion]]:
    """The lasting address before two servers: its process, and a function that makes the server with this number the champion."""
    labels = Labels(recipe="load", step_key="", flow_run="", expires_at=datetime.now(UTC) + timedelta(hours=2))
    spec = EndpointSpec(name="load", model=Path(), model_digest="", serving=ServingSection(), labels=labels)

    def champion(number: int) -> Alias:
        endpoint = Endpoint(name=f"load-{number}", url=servers[number].url, model_digest="", labels=labels)
        return LocalAliases().point_alias("load", endpoint, spec)

    with tempfile.TemporaryDirectory() as home:
        os.environ["FINETUNE_HOME"] = home
        alias = champion(0)
        group = int((Path(home) / "aliases" / "load" / "group").read_text())
        try:
            yield Running(alias.url, psutil.Process(group)), champion
        finally:
            LocalAliases().delete_alias("load")


async def switch(champion: Champion, until: float) -> int:
    """Change the champion every few seconds. Returns how often."""
    changes = 0
    while time.monotonic() < until - SWITCH_SECONDS:
        await asyncio.sleep(SWITCH_SECONDS)
        changes += 1
        await asyncio.to_thread(champion, changes % 2)
    return changes


async def run(load: Load, servers: Sequence[Running], seconds: float, clients: int, champion: Champion | None) -> None:
    """The right answers one at a time, then all clients at once."""
    async with httpx.AsyncClient(base_url=servers[0].url, timeout=600) as http:
        asked = enumerate(load.asked)
        load.right = [(await ask(http, messages, 4 + at % load.new_tokens)).text for at, messages in asked]
    async with httpx.AsyncClient(base_url=load.url, timeout=600, limits=httpx.Limits(max_connections=None)) as http:
        until = time.monotonic() + seconds
        tasks = [load.watch(until), *(load.client(number, until, http) for number in range(clients))]
        changes, *_ = await asyncio.gather(switch(champion, until) if champion else asyncio.sleep(0, 0), *tasks)
        load.outcomes["champion changes"] = changes
    await asyncio.sleep(1)
    for server in servers:
        metrics = httpx.get(f"{server.url}/metrics").text.splitlines()
        load.wrong += [
            f"{gauge} is not 0 when all is over"
            for gauge in ("serving_running", "serving_waiting")
            if f"{gauge} 0.0" not in metrics
        ]


def report(load: Load, seconds: float) -> bool:
    """Print what came of it. Returns whether all is as it must be."""
    latencies = statistics.quantiles(load.seconds, n=100)
    minute = min(60.0, seconds / 4)
    early, late = load.memory(minute, 1.25 * minute), load.memory(0.9 * seconds, seconds)
    print(
        f"{dict(load.outcomes)} in {seconds:.0f} s; {len(load.wrong)} wrong; load of the machine {os.getloadavg()[1]:.1f}"
    )
    print(f"latency: median {latencies[49]:.2f} s, p95 {latencies[94]:.2f} s, p99 {latencies[98]:.2f} s")
    start, most = load.megabytes[0][1], max(size for _, size in load.megabytes)
    growth = late / early
    print(
        f"memory: start {start:.0f} MB, after {minute:.0f} s {early:.0f}, end {late:.0f} ({growth:.2f} x), most {most:.0f}"
    )
    for problem in load.wrong[:10]:
        print("WRONG", problem)
    return not load.wrong and growth <= MOST_GROWTH


def main() -> int:
    """Start servers, put them under load. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--rows", type=Path, required=True, help="JSONL with question and context")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=32, help="longest answer")
    parser.add_argument("--alias", action="store_true", help="through the lasting address of a changing champion")
    options = parser.parse_args()
    asked = conversations(options.rows, QUESTIONS)
    with ExitStack() as stack:
        count = 2 if options.alias else 1
        servers = [stack.enter_context(served(options.model, SERVING_ENGINE="transformers")) for _ in range(count)]
        processes, url, champion = list(servers), servers[0].url, None
        if options.alias:
            forwarder, champion = stack.enter_context(aliased(servers))
            processes, url = [*servers, forwarder], forwarder.url
        load = Load(url, processes, asked, [], options.new_tokens)
        asyncio.run(run(load, servers, options.seconds, options.clients, champion))
    return 0 if report(load, options.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
