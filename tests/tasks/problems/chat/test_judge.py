"""Answers rated by a judge: a server that speaks OpenAI's chat API and rates by a rule, or misbehaves."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.base.errors import EnvironmentProblem, FinetuneError, RecipeError
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.recipe import Chat, parse_recipe

ROWS = [
    TestRow(
        id=str(n),
        prompt=[{"role": "user", "content": f"What is {n} and 1?"}],
        fields={
            "conversation": json.dumps([{"role": "user", "content": f"What is {n} and 1?"}]),
            "answer": f"It is {n + 1}.",
        },
    )
    for n in range(12)
]
KEY = "the-judges-key"


class RuleJudge(ThreadingHTTPServer):
    """Rates 10 what holds the reference's number, else 1. `reply` may say something else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.refuse = 0
        self.reply: str | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def rate(self, body: dict[str, Any]) -> str:
        shown = body["messages"][-1]["content"]
        _, reference, answer = shown.split("\n# ")
        right = reference.split("It is ")[1].strip(". \n") in answer.split()
        return self.reply or f'I think so. {{"rating": {10 if right else 1}}}'


class _Handler(BaseHTTPRequestHandler):
    server: RuleJudge

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        judge = self.server
        with judge.lock:
            judge.keys.add(self.headers.get("Authorization"))
            refused = judge.refuse > 0
            judge.refuse -= refused
            if not refused:
                judge.asked.append(body)
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.answer(401, {"error": {"message": "invalid api key"}})
        if refused:
            return self.answer(429, {"error": "slowly"})
        return self.answer(200, {"choices": [{"message": {"content": judge.rate(body)}, "finish_reason": "stop"}]})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RuleJudge]:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUDGE_KEY", KEY)
    server = RuleJudge()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()


def judged(judge: RuleJudge, answers: dict[str, str], **settings: object) -> Judged:
    section = {"url": judge.url, "model": "wise", "key_variable": "JUDGE_KEY"} | settings
    return Chat.model_validate({"judge": section}).judge_answers(ROWS, answers, Path())


def answers(right: int) -> dict[str, str]:
    """Of the first `right` rows right ones, then wrong ones, and none for the last row."""
    return {row.id: f"That makes {n + 1 if n < right else 'nothing'} ." for n, row in enumerate(ROWS[:-1])}


def test_answers_are_rated_beside_the_other_scores(judge: RuleJudge) -> None:
    found = judged(judge, answers(right=6))
    assert found.estimates["rating"].value == pytest.approx(0.5)
    assert found.estimates["rating"].n == 12
    assert 0 < found.estimates["rating"].low < 0.5 < found.estimates["rating"].high < 1
    assert [verdict.values["rating"] for verdict in found.verdicts] == [1.0] * 6 + [0.0] * 6
    assert {"rouge_l", "chrf"} < found.estimates.keys()
    assert found.details == {"unreadable_ratings": 0}
    assert len(judge.asked) == 11, "who said nothing is not sent"
    assert {(body["model"], body["temperature"]) for body in judge.asked} == {("wise", 0)}
    assert judge.keys == {f"Bearer {KEY}"}


def test_what_was_rated_is_not_sent_again_and_another_instruction_is_another_opinion(judge: RuleJudge) -> None:
    judged(judge, answers(right=6))
    judged(judge, answers(right=6))
    assert len(judge.asked) == 11
    judged(judge, answers(right=6), instruction="Be stern.")
    assert len(judge.asked) == 22


def test_his_address_may_end_in_v1(judge: RuleJudge) -> None:
    assert judged(judge, answers(right=12), url=f"{judge.url}/v1/").estimates["rating"].value == pytest.approx(11 / 12)


def test_one_who_is_busy_is_asked_again_later(judge: RuleJudge) -> None:
    judge.refuse = 3
    assert judged(judge, answers(right=12)).estimates["rating"].value == pytest.approx(11 / 12)


def test_a_judge_who_does_not_rate_ends_the_run_with_his_words(judge: RuleJudge) -> None:
    judge.reply = "A fine answer!"
    with pytest.raises(EnvironmentProblem, match=r"11 of 11 replies .*'A fine answer!'"):
        judged(judge, answers(right=6))


@pytest.mark.parametrize(("reply", "value"), [('{"rating": 10}', 1), ("{'rating': 10}", None), ('"rating":100', None)])
def test_ratings_are_read_strictly(judge: RuleJudge, reply: str, value: float | None) -> None:
    judge.reply = reply
    if value is None:
        with pytest.raises(EnvironmentProblem):
            judged(judge, answers(right=1))
    else:
        assert judged(judge, answers(right=1)).verdicts[0].values["rating"] == value


def test_a_wrong_key_is_told_and_never_shown(judge: RuleJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "another-secret")
    with pytest.raises(FinetuneError, match="401") as caught:
        judged(judge, answers(right=6))
    assert "another-secret" not in str(caught.value)
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(EnvironmentProblem, match="JUDGE_KEY"):
        judged(judge, answers(right=6))


def test_a_condition_on_ratings_needs_a_judge() -> None:
    content = {
        "name": "r",
        "problem": {"kind": "chat"},
        "dataset": {"source": "rows.jsonl"},
        "model": {"source": "m"},
        "gate": {"scores": {"rating": {"min_score": 0.5}}},
    }
    with pytest.raises(RecipeError, match=r"gate\.scores\.rating: needs problem\.judge"):
        parse_recipe(content, "r")
