"""The client against a real HTTP server that misbehaves on demand, and against our own server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.base.checksums import without_checksum
from finetune_flows.tasks.base.errors import DatasetError, EndpointFailed
from finetune_flows.tasks.endpoints import answers as answers_module
from finetune_flows.tasks.endpoints.answers import Answer, TestRow, collect_answers, read_test_rows
from finetune_flows.tasks.endpoints.asking import Server
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.sections.stages import EvaluationSection
from tests import ROOT

SECTION = EvaluationSection(concurrency=4, timeout_seconds=20, max_new_tokens=77)
Respond = Callable[[str, int], tuple[int, bytes, dict[str, str]] | None]
"""(question, how often it was asked) -> status, body, headers; None: hang up."""


class Endpoint:
    """A chat server on a real socket. Set `respond` to make it misbehave."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.under_way = self.most_under_way = 0
        self.seconds = 0.0
        self.respond: Respond = lambda question, count: good(question)
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                question = body["messages"][-1]["content"]
                with endpoint.lock:
                    endpoint.asked[question] += 1
                    endpoint.bodies.append({"path": self.path, "headers": str(self.headers), **body})
                    endpoint.under_way += 1
                    endpoint.most_under_way = max(endpoint.most_under_way, endpoint.under_way)
                time.sleep(endpoint.seconds)
                response = endpoint.respond(question, endpoint.asked[question])
                with endpoint.lock:
                    endpoint.under_way -= 1
                if response is None:
                    self.close_connection = True
                    return
                status, content, headers = response
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def good(question: str) -> tuple[int, bytes, dict[str, str]]:
    choice = {"index": 0, "message": {"role": "assistant", "content": f"re: {question}"}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}}
    return 200, json.dumps(body).encode(), {}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setattr(answers_module, "LONGEST_WAIT_SECONDS", 0.05)
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()


def rows(count: int) -> list[TestRow]:
    return [TestRow(id=f"r{i}", prompt=[{"role": "user", "content": f"q{i}"}], fields={}) for i in range(count)]


def kept(path: Path) -> list[Answer]:
    lines = [without_checksum(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Answer.model_validate_json(line) for line in lines if line is not None]


def test_every_row_is_asked_once_and_answers_come_in_row_order(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.seconds = 0.02
    told: list[tuple[int, int]] = []
    answers = collect_answers(
        Server(Http(endpoint.url)), rows(20), SECTION, tmp_path / "p.jsonl", lambda *done: told.append(done)
    )
    assert [(answer.id, answer.text) for answer in answers] == [(f"r{i}", f"re: q{i}") for i in range(20)]
    assert set(endpoint.asked.values()) == {1}
    assert 1 < endpoint.most_under_way <= SECTION.concurrency
    assert told == [(i, 20) for i in range(21)]
    first = answers[0]
    assert (first.prompt_tokens, first.completion_tokens, first.finish_reason, first.error) == (11, 5, "stop", None)
    assert 0.02 <= first.latency_seconds < 10
    assert abs(first.asked_at - time.time()) < 60
    body = endpoint.bodies[0]
    assert (body["path"], body["temperature"], body["max_tokens"]) == ("/v1/chat/completions", 0.0, 77)


def test_no_answered_row_is_asked_again_and_a_torn_line_is(endpoint: Endpoint, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    collect_answers(Server(Http(endpoint.url)), rows(6), SECTION, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"{") + 20])  # the machine died while it wrote the last one
    torn = ({f"r{i}" for i in range(6)} - {answer.id for answer in kept_whole(path)}).pop()
    endpoint.asked.clear()
    again = collect_answers(Server(Http(endpoint.url)), rows(8), SECTION, path)
    assert endpoint.asked == {"q" + torn[1:]: 1, "q6": 1, "q7": 1}
    assert [answer.id for answer in again] == [f"r{i}" for i in range(8)]
    assert {answer.id for answer in kept(path)} == {f"r{i}" for i in range(8)}
    endpoint.asked.clear()
    assert len(collect_answers(Server(Http(endpoint.url)), rows(3), SECTION, path)) == 3
    assert not endpoint.asked


def kept_whole(path: Path) -> list[Answer]:
    whole = path.with_name("whole.jsonl")
    whole.write_bytes(path.read_bytes().rpartition(b"\n")[0])
    return kept(whole)


def test_a_changed_letter_on_disk_is_no_answer_wherever_it_is(endpoint: Endpoint, tmp_path: Path) -> None:
    path, server = tmp_path / "p.jsonl", Server(Http(endpoint.url))
    collect_answers(server, rows(2), SECTION, path)
    whole = path.read_bytes()
    places = range(0, whole.index(b"\n") + 1, 5)
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert [answer.text for answer in collect_answers(server, rows(2), SECTION, path)] == ["re: q0", "re: q1"]
    assert sum(endpoint.asked.values()) >= 2 + len(places), "the changed one was asked again each time"


def test_answers_of_an_earlier_version_and_with_any_letters_are_kept(endpoint: Endpoint, tmp_path: Path) -> None:
    path, server = tmp_path / "p.jsonl", Server(Http(endpoint.url))
    old = Answer(id="r0", text="an\u2028old \x85 answer", asked_at=1, latency_seconds=1)
    path.write_text(old.model_dump_json() + "\n", encoding="utf-8")
    assert collect_answers(server, rows(2), SECTION, path)[0] == old
    assert collect_answers(server, rows(2), SECTION, path)[0] == old
    assert endpoint.asked == {"q1": 1}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_endpoint_is_asked_again(endpoint: Endpoint, tmp_path: Path, status: int) -> None:
    endpoint.respond = lambda question, count: good(question) if count > 2 else (status, b"later", {"Retry-After": "1"})
    answers = collect_answers(Server(Http(endpoint.url)), rows(3), SECTION, tmp_path / "p.jsonl")
    assert all(answer.error is None for answer in answers)
    assert set(endpoint.asked.values()) == {3}


def test_a_broken_connection_is_tried_again(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.respond = lambda question, count: good(question) if count > 1 else None
    answers = collect_answers(Server(Http(endpoint.url)), rows(3), SECTION, tmp_path / "p.jsonl")
    assert [answer.text for answer in answers] == ["re: q0", "re: q1", "re: q2"]


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ((400, b"prompt too long", {}), "prompt too long"),
        ((500, b"oh dear", {}), "HTTP 500"),
        ((200, b"<html>", {}), "not a chat completion"),
        ((200, b'{"choices": []}', {}), "not a chat completion"),
        ((200, b'{"choices": [{"message": {"content": 5}}]}', {}), "not a chat completion"),
        ((200, b"\xff\xfe", {}), "not a chat completion"),
    ],
)
def test_a_request_that_fails_is_recorded_not_repeated_and_asked_by_the_next_run(
    endpoint: Endpoint, tmp_path: Path, response: tuple[int, bytes, dict[str, str]], said: str
) -> None:
    endpoint.respond = lambda question, count: response if question == "q1" else good(question)
    answers = collect_answers(Server(Http(endpoint.url)), rows(3), SECTION, tmp_path / "p.jsonl")
    assert [answer.error is None for answer in answers] == [True, False, True]
    assert said in (answers[1].error or "")
    assert answers[1].text == ""
    assert endpoint.asked["q1"] == 1
    endpoint.respond = lambda question, count: good(question)
    assert collect_answers(Server(Http(endpoint.url)), rows(3), SECTION, tmp_path / "p.jsonl")[1].text == "re: q1"
    assert endpoint.asked == {"q0": 1, "q1": 2, "q2": 1}
    assert len(kept(tmp_path / "p.jsonl")) == 3


def test_a_slow_answer_is_not_waited_for_longer_than_told(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.seconds = 3
    section = EvaluationSection(concurrency=2, timeout_seconds=0.3)
    start = time.perf_counter()
    [answer] = collect_answers(Server(Http(endpoint.url)), rows(1), section, tmp_path / "p.jsonl")
    assert time.perf_counter() - start < 2.5
    assert "no answer within 0.3 s" in (answer.error or "")


def test_an_endpoint_that_is_gone_stops_the_run_early(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.respond = lambda question, count: (503, b"gone", {})
    with pytest.raises(EndpointFailed, match="answered none of"):
        collect_answers(Server(Http(endpoint.url)), rows(300), SECTION, tmp_path / "p.jsonl")
    assert len(endpoint.asked) < 30


def test_no_token_travels_to_the_endpoint(endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    collect_answers(Server(Http(endpoint.url)), rows(1), SECTION, tmp_path / "p.jsonl")
    assert "hf_secret" not in endpoint.bodies[0]["headers"]


ASKER = """
import sys
from pathlib import Path
from finetune_flows.tasks.endpoints.answers import collect_answers
from finetune_flows.tasks.endpoints.asking import Server, TestRow
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.sections.stages import EvaluationSection
rows = [TestRow(id=f"r{i}", prompt=[{"role": "user", "content": f"q{i}"}], fields={}) for i in range(40)]
collect_answers(Server(Http(sys.argv[1])), rows, EvaluationSection(concurrency=4), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_loses_no_answer_it_had(endpoint: Endpoint, tmp_path: Path, with_signal: int) -> None:
    endpoint.seconds = 0.1
    path = tmp_path / "p.jsonl"
    root = ROOT
    process = subprocess.Popen(
        [sys.executable, "-c", ASKER, endpoint.url, str(path)],
        cwd=root,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        # A test run that was started in the background ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (path.exists() and path.read_bytes().count(b"\n") >= 8):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(with_signal)
    assert process.wait(timeout=30) != 0
    had = {answer.id for answer in kept(path)}
    assert 8 <= len(had) < 40
    endpoint.seconds = 0
    time.sleep(0.3)  # requests that were under way end
    endpoint.asked.clear()
    answers = collect_answers(Server(Http(endpoint.url)), rows(40), SECTION, path)
    assert len(answers) == 40
    assert set(endpoint.asked) == {f"q{i}" for i in range(40) if f"r{i}" not in had}


def write_parquet(path: Path, count: int) -> None:
    message = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    fields = pa.struct([("question", pa.string()), ("context", pa.string()), ("answer", pa.string())])
    schema = pa.schema([("id", pa.string()), ("prompt", message), ("completion", message), ("fields", fields),
                        ("slice", pa.string()), ("group", pa.string()), ("tokens", pa.int64())])  # fmt: skip
    made = [
        {"id": f"r{i}", "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": f"q{i}"}], "completion": [],
         "fields": {"question": f"q{i}", "context": "c", "answer": "a"}, "slice": None if i % 2 else "even", "group": "g", "tokens": 9}
        for i in range(count)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(made, schema=schema), path, row_group_size=700)


@pytest.mark.parametrize(("wanted", "got"), [(1, 1), (5, 5), (1500, 1500), (5000, 2000)])
def test_the_first_rows_of_a_dataset_are_read(tmp_path: Path, wanted: int, got: int) -> None:
    write_parquet(tmp_path / "test.parquet", 2000)
    found = read_test_rows(tmp_path / "test.parquet", wanted)
    assert [row.id for row in found] == [f"r{i}" for i in range(got)]
    assert found[0].prompt[1] == {"role": "user", "content": "q0"}
    assert found[0].fields == {"question": "q0", "context": "c", "answer": "a"}
    assert found[0].slice == "even"


def test_a_file_that_is_no_dataset_is_named(tmp_path: Path) -> None:
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    for name in ("test.parquet", "other.parquet", "missing.parquet"):
        with pytest.raises(DatasetError, match=name):
            read_test_rows(tmp_path / name, 3)
