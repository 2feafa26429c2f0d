"""`finetune data`: a recipe or rows alone, the problem given or guessed, and one row token by token."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from finetune_flows.flows.cli import app
from tests.support.tiny_model import tiny_tokenizer

CHAT = [
    {"messages": [{"role": "user", "content": f"Question {n}"}, {"role": "assistant", "content": "Yes."}]}
    for n in range(40)
]
REVIEWS = [{"Body": f"Review {n}", "Queue": "ab"[n % 2], "Created": n} for n in range(40)]


def finetune(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", *arguments])


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def audit(*arguments: str) -> dict[str, Any]:
    result = finetune("check", *arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_recipe_is_checked_with_its_columns(tmp_path: Path) -> None:
    written(tmp_path / "rows.jsonl", REVIEWS)
    (tmp_path / "recipe.yaml").write_text(
        "name: tickets\nproblem: {kind: text-classification, text: Body, label: Queue}\n"
        "dataset: {source: rows.jsonl}\nmodel: {source: none}\n"
    )
    found = audit("recipe.yaml", "--set", "dataset.max_rows=30")
    assert (found["usable"], found["unused"]) == (30, {"Created": 40})


def test_the_kind_of_problem_may_be_set(tmp_path: Path) -> None:
    assert audit(written(tmp_path / "rows.jsonl", CHAT), "--set", "problem.kind=chat")["usable"] == 40


@pytest.mark.parametrize(
    ("row", "guessed"),
    [
        (CHAT[0], "problem.kind=chat."),
        ({"Body": "a", "Category": "b"}, "problem.kind=text-classification, with text=Body, label=Category"),
        ({"text": "a", "tags": ["b"]}, "with text=text, label=tags, multi_label=True"),
        ({"comment": "a", "toxic": 0, "rude": 1}, "label_columns=['toxic', 'rude']"),
        (
            {"question": "a?", "schema": "CREATE TABLE a (b INT)", "sql": "SELECT b FROM a"},
            "context=schema, answer=sql",
        ),
    ],
)
def test_the_problem_is_guessed_from_the_columns_and_told(tmp_path: Path, row: dict[str, Any], guessed: str) -> None:
    result = finetune("check", written(tmp_path / "rows.jsonl", [row] * 3), "--set", "dataset.max_quarantined=1")
    assert guessed in result.stderr.replace("\n", " ")


def test_columns_that_fit_nothing_are_named(tmp_path: Path) -> None:
    result = finetune("check", written(tmp_path / "rows.jsonl", [{"a": 1, "b": 2}]))
    assert "the row has a, b" in str(result.exception)
    assert audit(
        written(tmp_path / "rows.jsonl", REVIEWS), "--set", "problem.kind=text-classification", "--set", "problem.text=Body",
        "--set", "problem.label=Queue",
    )["usable"] == 40  # fmt: skip


def shown(tmp_path: Path, row: str, *arguments: str) -> dict[str, Any]:
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    result = finetune("show", "rows.jsonl", row, "--tokenizer", str(tmp_path / "model"), "--json", *arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_row_is_shown_token_by_token_with_what_is_learnt(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}]
    written(tmp_path / "rows.jsonl", [*CHAT, {"messages": turns * 2, "by": "Ann"}])
    for settings, learnt in (
        ((), "Here.<|im_end|>\n"),
        (("--set", "problem.train_on=all"), "Here.<|im_end|>Here.<|im_end|>\n"),
    ):
        found = shown(tmp_path, "41", *settings)
        assert "".join(token["text"] for token in found["tokens"] if token["learnt"]) == learnt
        assert "".join(token["text"] for token in found["tokens"]).count("<|im_start|>") == 4
        assert found["unused"] == ["by"]
    text = finetune("show", "rows.jsonl", "41", "--tokenizer", str(tmp_path / "model")).stdout
    assert "[assistant] (learnt) Here." in text
    assert " learn '<|im_end|>'" in text


def test_a_row_that_is_quarantined_says_why(tmp_path: Path) -> None:
    written(tmp_path / "rows.jsonl", [*CHAT, {"messages": []}])
    result = finetune("show", "rows.jsonl", "41")
    assert result.exit_code == 2
    assert "not a list of messages" in result.stdout
    assert "has no row 99" in str(finetune("show", "rows.jsonl", "99").exception)


def test_a_check_ends_with_the_next_command(tmp_path: Path) -> None:
    rows = written(tmp_path / "rows.jsonl", REVIEWS)
    columns = ("--set", "problem.text=Body", "--set", "problem.label=Queue")
    told = finetune("check", rows, "--set", "problem.kind=text-classification", *columns).stdout
    assert "Next   finetune init NAME --problem text-classification" in told
