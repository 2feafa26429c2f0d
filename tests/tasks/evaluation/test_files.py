"""What a scored endpoint leaves behind: files that can be read again, and a report that can be published."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.evaluate import score_endpoint
from finetune_flows.tasks.evaluation.files import read_evaluation, read_scores, read_verdicts, read_wrong_answers
from finetune_flows.tasks.recipe import Recipe, TextToSql, parse_recipe
from finetune_flows.tasks.reporting.evaluation_card import evaluation_report

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

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"]
        text = RIGHT[question]
        if "built" in question:
            text = f"Sure:\n```sql\n{text.replace('> 7', '> 8')}\n```"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        content = json.dumps({"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_what_a_scored_endpoint_leaves_behind(recipe: Recipe, dataset: Reference, url: str) -> None:
    evaluation = score_endpoint.fn(recipe, url, "model", dataset)
    scores, verdicts, wrong = read_scores(evaluation), read_verdicts(evaluation), read_wrong_answers(evaluation)
    assert scores.metrics["execution"].n == scores.n == len(verdicts) >= 6
    assert scores.kinds == {"right": scores.n // 2, "wrong literal": scores.n // 2}
    assert scores.differences == {"wrong literal": scores.n // 2}
    assert scores.slices["schema"].keys() == {"no table seen"}
    assert all("built" in answer.question and answer.answer.startswith("Sure:") for answer in wrong)
    assert len(wrong) == scores.n // 2
    page = (evaluation.path / "wrong_answers.md").read_text(encoding="utf-8")
    assert page.count("## ") == len(wrong)
    assert "`built > 8` should be `built > 7`" in page
    assert len((evaluation.path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()) == scores.n
    again = score_endpoint.fn(recipe, url, "model", dataset)
    assert again.uri != evaluation.uri, "it may be another model tomorrow"


def test_the_report_shows_both_models_their_errors_and_slices(recipe: Recipe, dataset: Reference, url: str) -> None:
    evaluation = score_endpoint.fn(recipe, url, "model", dataset)
    measured = read_evaluation(evaluation, evaluation)
    assert measured.comparisons["execution"].n == measured.tuned.n
    assert measured.comparisons["execution"].difference == 0
    page = evaluation_report(TextToSql(), "execution", measured)
    for words in (
        "**execution**",
        "exact_match_extracted",
        "execution_as_given",
        "| wrong literal |",
        "By resampling: +0.0",
    ):
        assert words in page
    assert "champion" not in page
    beside = evaluation_report(TextToSql(), "execution", read_evaluation(evaluation, evaluation, evaluation))
    assert "| metric | endpoint | tuned model | champion |" in beside
    assert "Gain in execution beside the champion: +0.0 points" in beside
    assert "execution by tables" not in page, "a division of one part divides nothing"
