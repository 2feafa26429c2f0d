"""A small data set, its recipe, and servers that answer its questions."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.recipe import Recipe, parse_recipe

NAMES = ["ship", "port", "crew", "cargo", "route", "storm", "fleet", "dock", "pilot", "chart", "sail", "mast"]


def row(name: str, column: str) -> dict[str, str]:
    context = f"CREATE TABLE {name} ({name}_name TEXT, tons INTEGER, built INTEGER)"
    query = f"SELECT {name}_name FROM {name} WHERE {column} > 7"
    return {"question": f"Which {name} has {column} above 7?", "context": context, "answer": query}


ROWS = [row(name, column) for name in NAMES for column in ("tons", "built")]
RIGHT = {row["question"]: row["answer"] for row in ROWS}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    content = {
        "name": "files",
        "problem": {"kind": "text-to-sql", "judging": {"databases": 2}},
        "dataset": {"source": str(source), "test_share": 0.5, "validation_share": 0.1},
        "model": {"source": "none"},
        "evaluation": {"max_new_tokens": 20},
    }
    return parse_recipe(content, "test")


@pytest.fixture
def dataset(recipe: Recipe) -> Reference:
    with Store().write("dataset", "d" * 64) as draft:
        build_dataset(recipe.dataset, recipe.problem, None, draft.path)
    return Store().require("dataset", "d" * 64)


class Chat(BaseHTTPRequestHandler):
    """Knows the right query, and gets every question about `built` wrong, in a code fence."""

    def text_for(self, messages: list[dict[str, str]]) -> str:
        question = messages[1]["content"]
        right = RIGHT[question]
        return f"Sure:\n```sql\n{right.replace('> 7', '> 8')}\n```" if "built" in question else right

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self.text_for(body["messages"])
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        content = json.dumps({"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class Hasty(Chat):
    """Names a column that is not there, and the right query once it is told so."""

    def text_for(self, messages: list[dict[str, str]]) -> str:
        right = RIGHT[messages[1]["content"]]
        return right if len(messages) > 2 else right.replace(" > 7", "_ > 7")


@contextmanager
def serving(handler: type[Chat]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def url() -> Iterator[str]:
    with serving(Chat) as address:
        yield address


@pytest.fixture
def hasty_url() -> Iterator[str]:
    with serving(Hasty) as address:
        yield address
