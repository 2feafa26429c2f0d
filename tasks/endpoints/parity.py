"""Checks that the server reads and answers as the trainer did, before a model is judged: a wrong template would look
like a bad model."""

import json
from pathlib import Path
from typing import Any

import httpx

from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.endpoints.asking import as_sent
from finetune_flows.tasks.endpoints.connect import Connection

SCORE_TOLERANCE = 0.02  # of a probability; the engine may compute in 16 bits
MANY_LABELS = 100_000
LONGEST_ANSWER = 128  # tokens


def check_parity(connection: Connection, name: str, probes: Path, timeout_seconds: float = 300) -> str:
    """Sends the probes that the training program saved to endpoint `name`; returns a line that says what was compared.

    The token ids of every prompt must be the trainer's, and the greedy answers must agree on at least half of the probes.

    Raises:
        EndpointFailed: the token ids, the answers or a classifier's scores differ by more than that.
    """
    expected: list[dict[str, Any]] = json.loads(probes.read_text(encoding="utf-8"))
    if "scores" in expected[0]:
        return _check_scores(connection, name, expected, timeout_seconds)
    with connection.client(timeout_seconds) as client:
        room = [_check_tokens(client, name, probe) for probe in expected]
        answers = [_answer(client, probe, left or LONGEST_ANSWER) for probe, left in zip(expected, room, strict=True)]
        same = sum(text.startswith(probe["text"].strip()) for text, probe in zip(answers, expected, strict=True))
    # Half, not all: other kernels round differently, and a greedy answer may then diverge, but not on most probes.
    if same * 2 < len(expected):
        raise EndpointFailed(
            f"endpoint {name} gives only {same} of the {len(expected)} probe answers that the model gave when it was saved: "
            "the engine does not run the model as it was trained. Check serving.engine and serving.dtype"
        )
    tokens = "the trainer's token ids" if all(room) else "token ids not shown by this engine"
    return f"{tokens}, {same} of {len(expected)} probe answers the same"


def _check_scores(connection: Connection, name: str, expected: list[dict[str, Any]], timeout_seconds: float) -> str:
    """Compares a classifier's probabilities, which may differ by rounding only."""
    body = {"inputs": [probe["text"] for probe in expected], "parameters": {"top_k": MANY_LABELS}}
    with connection.client(timeout_seconds) as client:
        reply = client.post("/invocations", json=body)
    reply.raise_for_status()
    apart = max(
        abs(item["score"] - probe["scores"].get(item["label"], 2))
        for probe, items in zip(expected, reply.json(), strict=True)
        for item in items
    )
    if apart > SCORE_TOLERANCE:
        raise EndpointFailed(
            f"endpoint {name} gives other scores than the model gave when it was saved: they differ by {apart:.2g}, and "
            f"rounding explains at most {SCORE_TOLERANCE:g}. Its tokenizer, labels or weights are not the model's own"
        )
    return f"the scores of {len(expected)} probe texts differ by {apart:.1g} at most"


def _check_tokens(client: httpx.Client, name: str, probe: dict[str, Any]) -> int:
    """The number of tokens that the answer may have; 0 if this engine does not tell tokens."""
    reply = client.post("/tokenize", json={**_asked(probe), "add_generation_prompt": True})
    if reply.status_code in (404, 405):
        return 0  # an engine without vLLM's /tokenize
    reply.raise_for_status()
    if reply.json()["tokens"] != probe["prompt_token_ids"]:
        raise EndpointFailed(
            f"endpoint {name} turns a prompt into different tokens than the trainer did: "
            "its chat template or tokenizer is not the model's own"
        )
    length = len(probe["prompt_token_ids"])
    window = reply.json().get("max_model_len") or length + LONGEST_ANSWER
    return int(window) - length


def _answer(client: httpx.Client, probe: dict[str, Any], room: int) -> str:
    # Longer than the trainer's answer, which was cut short: only the beginnings are compared.
    body = {"model": "model", **_asked(probe), "temperature": 0, "max_tokens": min(LONGEST_ANSWER, room)}
    reply = client.post("/v1/chat/completions", json=body)
    reply.raise_for_status()
    message = reply.json()["choices"][0]["message"]
    calls = [call["function"]["name"] for call in message.get("tool_calls") or []]
    if calls and all(name in probe["text"] for name in calls):
        return str(probe["text"]).strip()  # the server has parsed the calls, so their text cannot be compared
    return (message["content"] or "").strip()


def _asked(probe: dict[str, Any]) -> dict[str, Any]:
    return {"messages": as_sent(probe["messages"])} | ({"tools": probe["tools"]} if "tools" in probe else {})
