"""Many clients at once, rude ones among them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.containers.serving.running_server import Server

LONG = {"messages": [{"role": "user", "content": "Go on"}], "temperature": 0, "max_tokens": 50_000}
SHORT = {"messages": [{"role": "user", "content": "Go on"}], "temperature": 0, "max_tokens": 5}
CHAT = "/v1/chat/completions"
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def small_url(patient_root: Path) -> Iterator[str]:
    """Two places, three that may wait, and answers that would take minutes."""
    limits = {"SERVING_MAX_BATCH_SIZE": "2", "SERVING_MAX_QUEUE": "3", "SERVING_MAX_MODEL_LENGTH": "60000"}
    server = Server(patient_root, **limits)
    yield server.wait_until_ready()
    server.process.kill()


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
    async with httpx.AsyncClient(base_url=small_url, timeout=60) as client:
        running = [asyncio.create_task(client.post(CHAT, json=LONG)) for _ in range(5)]
        await until(client, "serving_running", 2)
        await until(client, "serving_waiting", 3)
        refused = await client.post(CHAT, json=LONG)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["message"].startswith("3 requests are waiting already")
        tgi = await client.post("/", json={"inputs": "x"})
        assert (tgi.status_code, tgi.json()["error_type"]) == (429, "overloaded")
        started = time.monotonic()
        for _ in range(10):
            assert (await client.get("/ping", timeout=2)).status_code == 200
        assert time.monotonic() - started < 10
        for task in running:
            task.cancel()
        await until(client, "serving_running", 0)


async def test_a_request_that_takes_too_long_is_ended_and_frees_its_place(patient_root):
    limits = {"SERVING_MAX_BATCH_SIZE": "1", "SERVING_MAX_MODEL_LENGTH": "60000", "SERVING_REQUEST_SECONDS": "2"}
    server = Server(patient_root, **limits, SERVING_ACCESS_LOG="off", SERVING_CAPTURE="1")
    async with httpx.AsyncClient(base_url=server.wait_until_ready(), timeout=60) as client:
        asked = [
            client.post(CHAT, json=LONG),
            client.post("/generate", json={"inputs": "x", "parameters": {"max_new_tokens": 50_000}}),
        ]
        whole, tgi = await asyncio.gather(*asked)  # one computes, the other waits: its time runs as well
        assert (whole.status_code, whole.json()["error"]["type"]) == (504, "timeout_error")
        assert (tgi.status_code, tgi.json()["error_type"]) == (504, "timeout")
        assert "SERVING_REQUEST_SECONDS" in tgi.json()["error"]
        streamed = await client.post(CHAT, json={**LONG, "stream": True})
        events = streamed.text.split("\n\n")
        assert json.loads(events[-3].removeprefix("data: "))["error"]["type"] == "timeout_error"
        assert events[-2] == "data: [DONE]"
        await until(client, "serving_running", 0)
        assert (await client.post(CHAT, json=SHORT)).status_code == 200

        async def body() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.sleep(6)  # longer than the server waits; the client notices the answer only when it sends on

        slow = await client.post(CHAT, content=body(), headers={"Content-Type": "application/json"})
        assert (slow.status_code, slow.headers["connection"]) == (408, "close")
        assert slow.json()["error"]["type"] == "timeout_error"
    assert server.stop() == 0
    server.reader.join()
    assert len(server.lines) == 1, "no log was asked for"


@pytest.mark.parametrize(
    ("log", "share", "fewest", "most"), [("requests", "0", 0, 0), ("requests", "0.5", 3, 37), ("texts", "1", 40, 40)]
)
async def test_the_log_has_a_share_of_the_prompts_and_all_texts_only_if_asked(root, log, share, fewest, most):
    """Half of 40, but for one test run in ten million."""
    server = Server(root, SERVING_CAPTURE=share, SERVING_ACCESS_LOG=log)
    async with httpx.AsyncClient(base_url=server.wait_until_ready(), timeout=60) as client:
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "My secret"}]
        body = {"messages": messages, "temperature": 0, "max_tokens": 9}
        reply = (await client.post(CHAT, json=body, headers={"X-Request-Id": "first"})).json()
        for _ in range(39):
            assert (await client.post(CHAT, json=body | {"max_tokens": 1})).status_code == 200
        await client.post("/generate", json={"inputs": ""})
        await client.get("/ping")
    assert server.stop() == 0
    server.reader.join()
    lines = [json.loads(line) for line in server.lines[1:]]
    check_access(lines, reply)
    captured = [line.pop("asked") for line in lines if "asked" in line]
    assert fewest <= len(captured) <= most
    assert all(asked == ["Be brief.\nMy secret"] for asked in captured)
    assert ("My secret" in json.dumps(lines)) == (log == "texts")
    if log == "texts":
        assert lines[0]["answer"] == reply["choices"][0]["message"]["content"]
    else:
        assert not any("answer" in line or "prompt" in line for line in lines)


def check_access(lines, reply):
    """The log of 40 chats, the first of which got `reply`, and a refused request; health checks have no line."""
    assert len(lines) == 41
    chat, refused = lines[0], lines[-1]
    assert chat["id"] == "first"
    assert (chat["route"], chat["status"], chat["error"]) == (CHAT, 200, None)
    assert chat["completion_tokens"] == reply["usage"]["completion_tokens"]
    assert 0 < chat["first_token_seconds"] <= chat["seconds"]
    assert (refused["route"], refused["status"], refused["error"]) == ("/generate", 422, "invalid")
