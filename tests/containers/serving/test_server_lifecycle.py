"""How the server starts, refuses to start, and ends."""

import importlib.util
import json
import shutil
import signal
import socket
import threading
import time

import httpx

from tests.containers.serving.running_server import START_SECONDS, Server

CHAT = "/v1/chat/completions"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def ping(url: str) -> int | None:
    """Status of /ping; None when nobody listens."""
    time.sleep(0.2)
    try:
        return httpx.get(f"{url}/ping", timeout=5).status_code
    except httpx.ConnectError:
        return None


def first(wanted: int | None, url: str, seconds: float) -> list[int | None]:
    """The answers of /ping up to the one that is waited for."""
    statuses, deadline = [ping(url)], time.monotonic() + seconds
    while statuses[-1] != wanted:
        assert time.monotonic() < deadline, statuses
        statuses.append(ping(url))
    return statuses


def test_it_is_unhealthy_until_loaded_then_finishes_what_runs_after_sigterm(patient_root):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = Server(patient_root, "--port", str(port), SERVING_GRACE_SECONDS="120")  # a busy machine needs more than 25
    assert set(first(200, url, START_SECONDS)) == {None, 503, 200}
    assert server.wait_until_ready() == url
    assert server.lines == [f"serving model on {url} (engine transformers, float32, 1 threads)"]

    body = {"messages": [{"role": "user", "content": "Go on"}], "temperature": 0, "max_tokens": 300, "stream": True}
    with httpx.stream("POST", f"{url}{CHAT}", json=body, timeout=60) as stream:
        lines = stream.iter_lines()
        next(lines)
        server.process.send_signal(signal.SIGTERM)
        first(503, url, 20)
        refused = httpx.post(f"{url}{CHAT}", json=body)
        assert (refused.status_code, refused.headers["retry-after"], refused.headers["connection"]) == (
            503,
            "5",
            "close",
        )
        assert refused.json()["error"]["message"] == "the server is shutting down"
        rest = [line for line in lines if line]
    assert rest[-1] == "data: [DONE]"
    assert '"finish_reason":"length"' in rest[-2]
    assert server.process.wait(timeout=30) == 0


def test_what_is_not_finished_within_the_grace_is_told_so(patient_root):
    server = Server(patient_root, SERVING_GRACE_SECONDS="1", SERVING_MAX_MODEL_LENGTH="60000")
    url = server.wait_until_ready()
    body = {"messages": [{"role": "user", "content": "Go on"}], "temperature": 0, "max_tokens": 50_000}
    answers: list[httpx.Response] = []
    client = threading.Thread(target=lambda: answers.append(httpx.post(f"{url}{CHAT}", json=body, timeout=60)))
    with httpx.stream("POST", f"{url}{CHAT}", json={**body, "stream": True}, timeout=60) as stream:
        lines = stream.iter_lines()
        next(lines)
        client.start()
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        rest = [line for line in lines if line]
    client.join()
    assert rest[-1] == "data: [DONE]"
    assert json.loads(rest[-2].removeprefix("data: "))["error"]["message"] == "the server is shutting down"
    assert answers[0].status_code == 503
    assert server.process.wait(timeout=30) == 0


def test_a_signal_during_the_start_ends_it_at_once(root):
    server = Server(root)
    time.sleep(2)
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) in (0, -signal.SIGTERM)  # the latter before Python has read the program
    assert time.monotonic() - started < 20


def test_it_says_in_one_line_why_it_does_not_start(root, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(root, damaged)
    weights = damaged / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = {
            f"cannot serve: no model in {tmp_path}/model: expected config.json and *.safetensors": Server(tmp_path),
            f"cannot serve: 127.0.0.1:{port}: Address already in use": Server(root, "--port", str(port)),
            "cannot serve: SERVING_DTYPE: Input should be 'auto'": Server(root, SERVING_DTYPE="int4"),
            f"cannot serve {damaged}/model: SafetensorError": Server(damaged),
        }
        if importlib.util.find_spec("vllm") is None:
            reason = f"cannot serve {root}/model: UnsupportedModel: SERVING_ENGINE=vllm, but vllm is not installed"
            refused[reason] = Server(root, SERVING_ENGINE="vllm")
        for reason, server in refused.items():
            assert server.process.wait(timeout=START_SECONDS) > 0
            server.reader.join()
            (line,) = server.lines
            assert line.startswith(reason)
