"""Many clients at once, rude ones among them."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.conformance.endpoint import Endpoint, needs

pytestmark = pytest.mark.anyio


def question(endpoint: Endpoint, number: int, **more: Any) -> dict[str, Any]:
    """Prompts and answers of several lengths, some with a beginning in common."""
    system = {"role": "system", "content": "CREATE TABLE ships (name, port) " * (number % 3)}
    words = " ".join(f"ship {number * each}" for each in range(1 + number % 7))
    messages = [system, {"role": "user", "content": words}]
    return endpoint.chat_body(messages=messages, max_tokens=4 + number % 23, **more)


async def answer(client: httpx.AsyncClient, endpoint: Endpoint, number: int) -> tuple[str, int]:
    response = await client.post(endpoint.chat_path, json=question(endpoint, number))
    assert response.status_code == 200, response.text
    reply = response.json()
    return reply["choices"][0]["message"]["content"], reply["usage"]["completion_tokens"]


@needs("batch-invariance")
async def test_each_prompt_alone_and_all_at_once_give_the_same_answers(endpoint: Endpoint):
    async with httpx.AsyncClient(base_url=endpoint.url, timeout=300) as client:
        alone = [await answer(client, endpoint, number) for number in range(16)]
        at_once = await asyncio.gather(*(answer(client, endpoint, number) for number in range(16)))
        again = await asyncio.gather(*(answer(client, endpoint, number) for number in reversed(range(16))))
    assert list(at_once) == alone
    assert list(reversed(again)) == alone
    assert len({text for text, _ in alone}) > 8  # they are different answers


async def rude(client: httpx.AsyncClient, endpoint: Endpoint, number: int) -> int:
    malformed = [b"{", b'{"messages": 1}', b'{"messages": [{"role": 1}]}'][number % 3]
    headers = {"Content-Type": "application/json"}
    return (await client.post(endpoint.chat_path, content=malformed, headers=headers)).status_code


async def impatient(client: httpx.AsyncClient, endpoint: Endpoint, number: int) -> None:
    """Hangs up after the first piece of the answer."""
    async with client.stream("POST", endpoint.chat_path, json=question(endpoint, number, stream=True)) as response:
        lines = response.aiter_lines()
        await anext(lines)


async def test_malformed_and_abandoned_requests_among_64_disturb_nobody(endpoint: Endpoint):
    async with httpx.AsyncClient(base_url=endpoint.url, timeout=300) as client:
        alone = [await answer(client, endpoint, number) for number in range(8)]
        kinds = [rude if at % 20 == 7 else impatient if at % 20 == 11 else answer for at in range(64)]
        jobs = [kind(client, endpoint, at % 8) for at, kind in enumerate(kinds)]
        results = await asyncio.gather(*jobs)
    for at, (kind, result) in enumerate(zip(kinds, results, strict=True)):
        if kind is rude:
            assert 400 <= result < 500
        elif kind is answer and "batch-invariance" not in endpoint.lacks:
            assert result == alone[at % 8]
