"""The lasting address: real forwarder processes before real HTTP servers, switched while clients call."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.platforms.contract import Alias, Endpoint, EndpointSpec, Labels
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.sections.stages import ServingSection


class Server:
    """Says its name; /slow takes a while; /stream sends three lines with pauses; a POST is sent back."""

    def __init__(self, name: str, slow: float = 0.3) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path.startswith("/stream"):
                    self.stream()
                elif self.path.startswith("/hang-up"):
                    self.close_connection = True
                else:
                    time.sleep(slow if self.path.startswith("/slow") else 0)
                    self.answer(f"{name} {self.path}".encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(body + self.headers["Authorization"].encode(), 201)

            def answer(self, body: bytes, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Served-By", name)
                self.end_headers()
                self.wfile.write(body)

            def stream(self) -> None:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for line in (b"one\n", b"two\n", b"three\n"):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                    time.sleep(0.2)
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that went away is no news
        self.name, self.url = name, f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def point(server: Server, lifetime: timedelta = timedelta(minutes=5)) -> Alias:
    labels = Labels(recipe="r", step_key="k", flow_run="f", expires_at=datetime.now(UTC) + lifetime)
    endpoint = Endpoint(name=server.name, url=server.url, model_digest="d", labels=labels)
    spec = EndpointSpec(name=server.name, model=Path("/m"), model_digest="d", serving=ServingSection(), labels=labels)
    return ProcessRunner().point_alias("r", endpoint, spec)


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    both = Server("old"), Server("new")
    yield both
    for server in both:
        server.stop()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    yield
    ProcessRunner().delete_alias("r")


def test_requests_and_answers_pass_as_they_are(servers: tuple[Server, Server]) -> None:
    alias = point(servers[0])
    assert ProcessRunner().aliases() == [alias]
    reply = httpx.get(f"{alias.url}/a%20b?x=1&y=%2F")
    assert (reply.text, reply.headers["X-Served-By"]) == ("old /a%20b?x=1&y=%2F", "old")
    posted = httpx.post(f"{alias.url}/v1", content=b"\x00body", headers={"Authorization": "Bearer key"})
    assert (posted.status_code, posted.content) == (201, b"\x00bodyBearer key")


def test_a_stream_arrives_line_by_line(servers: tuple[Server, Server]) -> None:
    alias, arrived = point(servers[0]), []
    with httpx.stream("GET", f"{alias.url}/stream") as reply:
        for line in reply.iter_lines():
            arrived.append((line, time.monotonic()))
    assert [line for line, _ in arrived] == ["one", "two", "three"]
    assert arrived[2][1] - arrived[0][1] > 0.3


def test_a_switch_under_load_loses_no_request_and_keeps_the_address(servers: tuple[Server, Server]) -> None:
    old, new = servers
    alias = point(old)
    stop, answers = threading.Event(), []

    def call(path: str) -> None:
        with httpx.Client(base_url=alias.url, timeout=10) as client:  # one that keeps its connection
            while not stop.is_set():
                answers.append(client.get(path).raise_for_status().text.split()[0])

    with ThreadPoolExecutor() as pool:
        callers = [pool.submit(call, path) for path in ("/quick", "/slow", "/slow", "/quick")]
        wait_for(lambda: len(answers) > 10)
        switched = point(new)
        old.stop()  # nothing is under way to it any more, so nobody may notice
        seen = len(answers)
        wait_for(lambda: len(answers) > seen + 10)
        stop.set()
        for caller in callers:
            caller.result()
    assert switched.url == alias.url
    assert answers[0] == "old"
    assert answers[-1] == "new"


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_the_one_before_is_waited_for(servers: tuple[Server, Server]) -> None:
    slow = Server("slow", slow=3)
    alias = point(slow)
    with ThreadPoolExecutor() as pool:
        late = pool.submit(httpx.get, f"{alias.url}/slow", timeout=30)
        wait_for(lambda: slow.url in httpx.get(f"{alias.url}/.alias").json()["under_way"])
        point(servers[1])
        assert httpx.get(f"{alias.url}/.alias").json() == {"target": servers[1].url, "under_way": {}}
        assert late.result().text == "slow /slow"
    slow.stop()


def test_a_client_that_goes_away_is_not_waited_for(servers: tuple[Server, Server]) -> None:
    slow = Server("slow", slow=60)
    alias = point(slow)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{alias.url}/slow", timeout=0.5)
    started = time.monotonic()
    point(servers[1])
    assert time.monotonic() - started < 30


def test_an_endpoint_that_is_gone_is_told_and_found_again_when_it_is_back(servers: tuple[Server, Server]) -> None:
    old, new = servers
    alias = point(old)
    old.stop()
    reply = httpx.get(f"{alias.url}/quick")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"] == "5"
    point(new)
    assert httpx.get(f"{alias.url}/quick").text == "new /quick"


def test_a_forwarder_that_was_killed_comes_back_under_the_same_address(servers: tuple[Server, Server]) -> None:
    alias = point(servers[0])
    os.killpg(int((home() / "aliases" / "r" / "group").read_text()), signal.SIGKILL)
    while ProcessRunner().aliases():
        time.sleep(0.02)
    assert point(servers[1]) == alias.model_copy(
        update={"endpoint": "new", "target": servers[1].url, "labels": json_labels()}
    )
    assert httpx.get(f"{alias.url}/quick").text == "new /quick"


def json_labels() -> Labels:
    return Labels.model_validate(json.loads((home() / "aliases" / "r" / "alias.json").read_text())["labels"])


def test_sweep_ends_one_past_its_expiry(servers: tuple[Server, Server]) -> None:
    point(servers[0])
    later = datetime.now(UTC) + timedelta(hours=1)
    assert ProcessRunner().sweep(datetime.now(UTC)) == []
    assert ProcessRunner().sweep(later) == ["alias r (expired)"]
    assert ProcessRunner().aliases() == []


def raw(alias: Alias, request: bytes) -> socket.socket:
    host, port = alias.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(request)
    return connection


def test_a_client_with_half_a_body_does_not_hold_the_earlier_endpoint(servers: tuple[Server, Server]) -> None:
    alias = point(servers[0])
    with raw(alias, b"POST /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: k\r\nContent-Length: 8\r\n\r\nhalf") as client:
        started = time.monotonic()
        point(servers[1])
        assert time.monotonic() - started < 20
        client.sendall(b"body")
        assert b"X-Served-By: new" in client.recv(4096), "its request goes to the endpoint of the moment it is complete"


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_refused_before_it_is_kept(announced: bool, servers: tuple[Server, Server]) -> None:
    alias = point(servers[0])
    parts = (b"x" * (1 << 20) for _ in range(40))
    content = b"x" * (40 << 20) if announced else parts
    with suppress(httpx.WriteError):  # the connection may be closed before all was sent
        reply = httpx.post(f"{alias.url}/v1", content=content, timeout=60)
        assert reply.status_code == 413
        assert "32 MiB" in reply.json()["error"]["message"]
    assert httpx.get(f"{alias.url}/quick").text == "old /quick"


def test_an_endpoint_that_ends_amid_a_request_is_a_502_that_may_be_tried_again(servers: tuple[Server, Server]) -> None:
    alias = point(servers[0])
    reply = httpx.get(f"{alias.url}/hang-up", timeout=60)
    assert reply.status_code == 502
    assert reply.headers["Retry-After"] == "5"


def test_an_address_that_was_forgotten_is_not_kept_for_the_next(servers: tuple[Server, Server]) -> None:
    alias = point(servers[0])
    assert ProcessRunner().delete_alias("r")
    assert not ProcessRunner().delete_alias("r")
    with socket.create_server(("127.0.0.1", int(alias.url.rsplit(":", 1)[1]))):
        assert point(servers[1]).url != alias.url


@pytest.mark.parametrize("content", ["", '{"target": ', "{}", "[]", None])
def test_a_damaged_record_costs_no_request_and_the_next_change_mends_it(
    content: str | None, servers: tuple[Server, Server]
) -> None:
    alias, record = point(servers[0]), home() / "aliases" / "r" / "alias.json"
    httpx.get(f"{alias.url}/quick")
    record.write_text(content) if content is not None else record.unlink()
    assert httpx.get(f"{alias.url}/quick").text == "old /quick"
    assert point(servers[1]).url == alias.url
    assert httpx.get(f"{alias.url}/quick").text == "new /quick"


def test_with_all_records_damaged_a_new_address_is_made_and_no_forwarder_is_left(
    servers: tuple[Server, Server],
) -> None:
    before, folder = point(servers[0]), home() / "aliases" / "r"
    for name in ("alias.json", "process.json"):
        (folder / name).write_text("{")
    after = point(servers[1])
    assert httpx.get(f"{after.url}/quick").text == "new /quick"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{before.url}/quick")
