"""A model elsewhere: our real server behind a gate that wants a key and the model's name, as paid services do."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from finetune_flows.flows.evaluate import evaluate
from finetune_flows.tasks.base.errors import EndpointFailed, EnvironmentProblem
from finetune_flows.tasks.evaluation.files import read_scores
from finetune_flows.tasks.recipe import Recipe
from tests.containers.serving.running_server import Server

KEY = "sk-planted-0123456789"


class Gate(BaseHTTPRequestHandler):
    """Hands on what comes with the key. Repeats a wrong one in its refusal, as some services do."""

    protocol_version = "HTTP/1.1"
    behind = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        given = self.headers.get("Authorization", "nothing")
        if given != f"Bearer {KEY}":
            return self.answer(401, f"wrong key: {given}".encode())
        if b'"model":"theirs"' not in body.replace(b": ", b":"):
            return self.answer(404, b"no such model")
        reply = httpx.post(self.behind + self.path, content=body, timeout=60, trust_env=False)
        self.answer(reply.status_code, reply.content)

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("served")
    (root / "model").symlink_to(tiny_model)
    server = Server(root)
    Gate.behind = server.wait_until_ready()
    gate = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{gate.server_address[1]}/v1"
    gate.shutdown()
    server.stop()


def files_with(words: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and words.encode() in path.read_bytes()]


@pytest.mark.slow
def test_a_foreign_endpoint_is_scored_with_its_key_which_is_kept_nowhere(
    home: Path, recipe: Recipe, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(EnvironmentProblem, match="THEIR_KEY is not set here"):
        evaluate(recipe, url, "theirs", "THEIR_KEY")
    assert not home.exists(), "said before anything is prepared"

    monkeypatch.setenv("THEIR_KEY", "sk-old")
    with pytest.raises(EndpointFailed, match="401: wrong key: Bearer <key>"):
        evaluate(recipe, url, "theirs", "THEIR_KEY")

    monkeypatch.setenv("THEIR_KEY", KEY)
    evaluation = evaluate(recipe, url, "theirs", "THEIR_KEY")
    assert read_scores(evaluation).n == 6
    for secret in (KEY, "sk-old"):
        assert secret not in caplog.text
        assert files_with(secret, home.parent) == []


def test_a_key_is_for_foreign_urls_only(home: Path, recipe: Recipe) -> None:
    with pytest.raises(EndpointFailed, match="apply only to a server's URL"):
        evaluate(recipe, "demo-1a2b3c4d", key_variable="THEIR_KEY")


@pytest.mark.parametrize(
    "url",
    ["http://", "http://[::1", "http://host:99999", "http://host:port/v1", "https://a b/", "http://x\x00y", "http://:80",
     "http://host/v1?key=secret", "http://" + "x" * 70_000],
    ids=lambda url: url[:20],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_before_anything_is_prepared(home: Path, recipe: Recipe, url: str) -> None:
    with pytest.raises(EndpointFailed, match="is no address"):
        evaluate(recipe, url)
    assert not home.exists()
