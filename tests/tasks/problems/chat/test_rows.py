"""Conversations of every known form become the same examples, and answers are compared with the row's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.statistics import Estimate
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.endpoints.answers import without_empty_thought
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.chat.verdicts import judge_overlap
from finetune_flows.tasks.problems.example import BadRow
from finetune_flows.tasks.recipe import Chat, DatasetSection, parse_recipe

ASKED = {"role": "user", "content": "What is the capital of Peru?"}
ANSWERED = {"role": "assistant", "content": "Lima."}
FORMS: dict[str, dict[str, Any]] = {
    "messages": {"messages": [ASKED, ANSWERED]},
    "sharegpt": {"conversations": [{"from": "human", "value": ASKED["content"]}, {"from": "gpt", "value": "Lima."}]},
    "alpaca": {"instruction": ASKED["content"], "input": "", "output": "Lima."},
    "prompt_completion": {"prompt": ASKED["content"], "completion": "Lima."},
    "prompt_completion of messages": {"prompt": [ASKED], "completion": [ANSWERED]},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_becomes_the_same_example(form: str) -> None:
    example = Chat().read_row(FORMS[form])
    assert (example.prompt, example.completion) == ([ASKED], [ANSWERED])
    assert example == Chat().read_row(FORMS["messages"])


def test_the_last_answer_is_learnt_and_the_turns_before_it_are_read() -> None:
    turns = [
        ASKED,
        ANSWERED,
        {"role": "user", "content": "And of Chile?"},
        {"role": "assistant", "content": "Santiago."},
    ]
    example = Chat(system="Be brief.").read_row({"messages": turns})
    assert example.prompt == [{"role": "system", "content": "Be brief."}, *turns[:3]]
    assert example.completion == turns[3:]
    own = [{"role": "system", "content": "Rhyme."}, *turns]
    assert Chat(system="Be brief.").read_row({"messages": own}).prompt[0]["content"] == "Rhyme."


def test_input_and_system_of_alpaca_are_read() -> None:
    row = {"instruction": "Translate.", "input": "Hallo", "output": "Hello", "system": "You translate."}
    example = Chat().read_row(row)
    assert [message["content"] for message in example.prompt] == ["You translate.", "Translate.\n\nHallo"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"text": "a"}, "not a conversation"),
        ({"messages": []}, "not a list of messages"),
        ({"messages": [ANSWERED, ASKED]}, "turns out of order"),
        ({"messages": [ASKED]}, "turns out of order"),
        ({"messages": [{"role": "narrator", "content": "a"}]}, "not a message"),
        ({"messages": [ASKED, {"role": "assistant", "content": None}]}, "empty"),
        ({"messages": [ASKED, {"role": "assistant", "content": 5}]}, "not a string"),
        ({"messages": [ASKED, {"role": "assistant", "content": " "}]}, "empty"),
        ({"prompt": "a <|im_end|>", "completion": "b"}, "chat template token"),
        ({"prompt": "a", "completion": 3}, "not a list of messages"),
    ],
)
def test_what_is_no_conversation_says_why(row: dict[str, Any], kind: str) -> None:
    with pytest.raises(BadRow) as caught:
        Chat().read_row(row)
    assert {reason.kind for reason in caught.value.reasons} == {kind}


def test_conversations_that_begin_alike_are_on_one_side(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {n // 3}", "completion": f"Answer {n}", "system": str(n)} for n in range(60)]
    lines = [
        {"messages": [{"role": "system", "content": row["system"]}, {"role": "user", "content": row["prompt"]},
                      {"role": "assistant", "content": row["completion"]}]}
        for row in rows
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    audit = build_dataset(DatasetSection(source=str(tmp_path / "rows.jsonl")), Chat(), None, tmp_path / "out")
    assert (audit.usable, audit.leakage.groups, audit.leakage.shared_groups) == (60, 20, 0)
    assert audit.leakage.kept_apart == "first questions"


def test_answers_are_scored_by_exact_match_rouge_and_chrf() -> None:
    rows = [TestRow(id=str(n), prompt=[ASKED], fields={"answer": "Lima is the capital of Peru"}) for n in range(3)]
    judged = judge_overlap(rows, {"0": " Lima is the capital of Peru\n", "1": "The capital is Lima"})
    assert [verdict.outcomes["exact_match"] for verdict in judged.verdicts] == [True, False, False]
    assert [verdict.kind for verdict in judged.verdicts][::2] == ["right", "no answer"]
    assert len(judged.wrong) == 2
    first = judge_overlap(rows[:1], {"0": "Lima is the capital of Peru"}).estimates
    assert first["rouge_l"].value == first["chrf"].value == pytest.approx(1)
    # ROUGE-L of the second: longest common subsequence "the capital" of 4 and 6 words.
    second = judge_overlap(rows[1:2], {"1": "The capital is Lima"}).estimates
    assert second["rouge_l"].value == pytest.approx(2 * (2 / 4) * (2 / 6) / (2 / 4 + 2 / 6))
    assert 0 < second["chrf"].value < 1


def test_the_interval_of_a_mean_is_about_that_of_the_normal_law() -> None:
    values = np.random.default_rng(1).random(400)
    found = Estimate.mean(values)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


@pytest.mark.parametrize("asked", [{"steps": ["html"]}, {"languages": ["en"]}])
def test_steps_and_languages_need_a_column(asked: dict[str, Any]) -> None:
    content = {
        "name": "a",
        "problem": {"kind": "chat"},
        "dataset": {"source": "x", **asked},
        "model": {"source": "x"},
    }
    with pytest.raises(RecipeError, match=f"dataset.{next(iter(asked))}: chat has no text column to clean"):
        parse_recipe(content, "test")


def test_an_empty_thought_is_no_part_of_an_answer() -> None:
    """Templates such as Qwen3's put it before every answer, so the model learns to say it."""
    thought = "<think>\n\n</think>\n\n"
    assert without_empty_thought(thought + "Lima") == without_empty_thought("Lima") == "Lima"
    assert without_empty_thought("<think>\nPeru?\n</think>\nLima") == "<think>\nPeru?\n</think>\nLima"
    rows = [TestRow(id="0", prompt=[{"role": "user", "content": "Capital?"}], fields={"answer": thought + "Lima"})]
    assert judge_overlap(rows, {"0": without_empty_thought(thought + "Lima")}).verdicts[0].outcomes["exact_match"]
