"""The hub is asked with the token of the environment variable that the recipe names."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

COMMIT = "c" * 40
ASK = """
import sys
from finetune_flows.tasks.artifacts.base_model import staging_key
from finetune_flows.tasks.recipe import ModelSection
print(staging_key(ModelSection.model_validate_json(sys.argv[1])))
"""


class Hub(ThreadingHTTPServer):
    """Names one commit, and notes with which token it was asked."""

    def __init__(self) -> None:
        hub = self
        self.tokens: list[str | None] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/api/models/owner/gated"):
                    hub.tokens.append(self.headers.get("Authorization"))
                content = json.dumps({"id": "owner/gated", "sha": COMMIT}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_token_comes_from_the_variable_that_the_recipe_names(hub: Hub) -> None:
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HUB_OFFLINE": "0",
        "TEAM_TOKEN": "hf_team",
        "HF_TOKEN": "hf_mine",
    }
    keys = []
    for variable in ({"token_variable": "TEAM_TOKEN"}, {}):
        section = {"source": "owner/gated", "revision": "main"} | variable
        command = [sys.executable, "-c", ASK, json.dumps(section)]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert result.returncode == 0, result.stderr
        keys.append(result.stdout)
    assert hub.tokens == ["Bearer hf_team", "Bearer hf_mine"]
    assert keys[0] == keys[1], "who may read the model says nothing about the model"
