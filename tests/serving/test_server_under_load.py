"""Many clients at once, rude ones among them."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving.running_server import Server

LONG = {"messages": [{"role": "user", "content": "Go on"}], "temperature": 0, "max_tokens": 50_000}
SHORT = {"messages": [{"role": "user", "content": "Go on"}], "temperature": 0, "max_tokens": 5}
CHAT = "/v1/chat/completions"
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def small_url(patient_root: Path) -> Iterator[str]:
    """Two places, three that may wait, and answers that would take minutes."""
    limits = {"SERVING_MAX_BATCH_SIZE": "2", "SERVING_MAX_QUEUE": "3", "SERVING_MAX_MODEL_LENGTH": "60000"}
    server = Server(patient_root, **limits, SERVING_LOG_LEVEL="info")
    yield server.wait_until_ready()
    server.process.kill()
    access = [line for line in server.lines if "serving.access" in line]
    assert any("method=POST path=/v1/chat/completions status=200" in line for line in access), server.lines


def question(number: int) -> dict[str, Any]:
    words = " ".join(f"ship {number * each}" for each in range(1 + number % 7))
    return {"messages": [{"role": "user", "content": words}], "temperature": 0, "max_tokens": 10 + number % 23}


async def answer(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[str, int]:
    reply = (await client.post(CHAT, json=body)).json()
    return reply["choices"][0]["message"]["content"], reply["usage"]["completion_tokens"]


async def test_each_prompt_alone_and_all_at_once_give_the_same_answers(url):
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        alone = [await answer(client, question(number)) for number in range(16)]
        at_once = await asyncio.gather(*(answer(client, question(number)) for number in range(16)))
    assert list(at_once) == alone
    assert len({text[:5] for text, _ in alone}) > 8  # they are different answers


async def test_malformed_requests_among_64_disturb_nobody(url):
    malformed = [b"{", b'{"messages": 1}', b'{"messages": [{"role": "user", "content": "\\ud800"}]}']

    async def rude(client: httpx.AsyncClient, number: int) -> int:
        response = await client.post(CHAT, content=malformed[number % 3], headers={"Content-Type": "application/json"})
        return response.status_code

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        alone = [await answer(client, question(number)) for number in range(8)]
        jobs = [rude(client, at) if at % 20 == 7 else answer(client, question(at % 8)) for at in range(64)]
        results = await asyncio.gather(*jobs)
    for at, result in enumerate(results):
        assert result == (400 if at % 20 == 7 else alone[at % 8])


async def gauge(client: httpx.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name + " "))


async def until(client: httpx.AsyncClient, name: str, value: float) -> None:
    """Wait for a gauge to reach a value, for a minute."""
    deadline = time.monotonic() + 60
    while (now := await gauge(client, name)) != value:
        assert time.monotonic() < deadline, f"{name} is {now} and not {value}"
        await asyncio.sleep(0.05)


async def test_a_client_that_hangs_up_frees_its_place(small_url):
    pytest.importorskip("prometheus_client")
    async with httpx.AsyncClient(base_url=small_url, timeout=60) as client:
        whole = asyncio.create_task(client.post(CHAT, json=LONG))
        async with client.stream("POST", CHAT, json={**LONG, "stream": True}) as stream:
            lines = stream.aiter_lines()  # kept: httpx would hang up at the end of a loop over it
            assert "data" in await anext(lines)
            await until(client, "serving_running", 2)
            waiting = asyncio.create_task(client.post(CHAT, json=LONG))
            await until(client, "serving_waiting", 1)
            waiting.cancel()
            await until(client, "serving_waiting", 0)
        await until(client, "serving_running", 1)
        whole.cancel()
        await until(client, "serving_running", 0)
        assert (await client.post(CHAT, json=SHORT)).status_code == 200


async def test_a_full_queue_refuses_and_a_busy_server_stays_healthy(small_url):
    pytest.importorskip("prometheus_client")
    async with httpx.AsyncClient(base_url=small_url, timeout=60) as client:
        running = [asyncio.create_task(client.post(CHAT, json=LONG)) for _ in range(5)]
        await until(client, "serving_running", 2)
        await until(client, "serving_waiting", 3)
        refused = await client.post(CHAT, json=LONG)
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
        assert refused.json()["error"]["message"].startswith("3 requests wait already")
        tgi = await client.post("/", json={"inputs": "x"})
        assert (tgi.status_code, tgi.json()["error_type"]) == (429, "overloaded")
        started = time.monotonic()
        for _ in range(10):
            assert (await client.get("/ping", timeout=2)).status_code == 200
        assert time.monotonic() - started < 10
        for task in running:
            task.cancel()
        await until(client, "serving_running", 0)
