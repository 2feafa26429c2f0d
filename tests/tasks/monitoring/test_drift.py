"""Captured prompts against training rows: what counts as drift, and what is taken from a log."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.monitoring.captured import NEWEST, asked_prompts, training_prompts
from finetune_flows.tasks.monitoring.drift import Drift, drift_of
from finetune_flows.tasks.monitoring.window import Window, breaches
from finetune_flows.tasks.recipe import MonitoringSection, parse_recipe
from finetune_flows.tasks.reporting.monitoring_card import monitoring_card

QUESTIONS = [
    f"{ask} {what} {rest} {number}?"
    for number in range(20)
    for ask in ("How many", "Which", "List the", "Who has")
    for what in ("ships", "drivers", "cities")
    for rest in ("were built before", "won more than", "have over")
]
OTHERS = [f"Dear team, my parcel {number} is late, please send it again to the old address" for number in range(200)]
LIMITS = MonitoringSection(length_drift=0.3, vocabulary_drift=0.8)


def broken(drift: Drift | None, limits: MonitoringSection = LIMITS) -> list[str]:
    moment = datetime(2026, 11, 27, tzinfo=UTC)
    return breaches(Window(endpoint="e", since=moment, until=moment, drift=drift), limits)


def test_more_of_the_same_is_no_drift() -> None:
    texts = random.Random(1).sample(QUESTIONS, len(QUESTIONS))
    found = drift_of(texts[:240], texts[240:])
    assert found
    assert found.vocabulary is not None
    assert found.vocabulary < 0.65
    assert found.length < 0.1
    assert broken(found) == []


def test_another_subject_is_seen_in_words_and_lengths_and_the_words_are_told() -> None:
    found = drift_of(OTHERS, QUESTIONS)
    assert found
    assert found.vocabulary == pytest.approx(1)
    assert found.length == pytest.approx(1)
    assert {"parcel", "late"} & set(found.words)
    by_length, by_words = broken(found)
    assert (
        "200 prompts differ from the training rows in length by 1.00 (Kolmogorov-Smirnov distance); the limit is 0.3"
        in by_length
    )
    assert "in their words, by 1.00 (area under the ROC curve); the limit is 0.8. Distinctive words: " in by_words


def test_a_few_prompts_conclude_nothing() -> None:
    assert broken(drift_of(OTHERS[:19], QUESTIONS)) == []
    assert len(broken(drift_of(OTHERS[:20], QUESTIONS))) == 2
    few = drift_of(OTHERS[:9], QUESTIONS)
    assert few
    assert few.vocabulary is None
    assert drift_of([], QUESTIONS) is None
    assert drift_of(QUESTIONS, []) is None


def test_one_question_asked_a_thousand_times_counts_once() -> None:
    found = drift_of(OTHERS[:1] * 1000, QUESTIONS)
    assert found
    assert found.prompts == 1
    assert broken(found) == []


def test_without_a_limit_nothing_is_broken() -> None:
    assert broken(drift_of(OTHERS, QUESTIONS), MonitoringSection()) == []
    assert len(broken(drift_of(OTHERS, QUESTIONS), MonitoringSection(length_drift=0.3))) == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(), max_size=30), st.lists(st.text(), max_size=30))
def test_any_texts_can_be_compared(asked: list[str], known: list[str]) -> None:
    found = drift_of(asked, known)
    assert (found is None) == (not asked or not known)
    if found:
        assert 0 <= found.length <= 1
        assert found.vocabulary is None or 0 <= found.vocabulary <= 1
        assert found.prompts == len(set(asked))


def dataset(folder: Path, **parts: list[str]) -> Reference:
    folder.mkdir(parents=True)
    for name, texts in parts.items():
        rows = [[{"role": "system", "content": "S"}, {"role": "user", "content": text}] for text in texts]
        pq.write_table(pa.table({"prompt": rows}), folder / f"{name}.parquet")
    return Reference(kind="dataset", uri=str(folder), digest="d", size=0, step_key="k")


def test_our_own_evaluation_and_other_lines_of_the_log_are_left_out(tmp_path: Path) -> None:
    rows = dataset(tmp_path / "rows", train=["a", "b"], validation=["v"], test=["t"])
    asked: list[Any] = [["S\nt"], ["S\nnew"], ["S\nv"], None, ["S\na", "one more"], [3], "S"]
    lines = [json.dumps({"id": "1", "asked": each}) for each in asked]
    log = tmp_path / "log.txt"
    log.write_text("\n".join(["Loading weights", *lines, '{"asked": [', '"asked"', "[1]"]) + "\n")
    assert asked_prompts(log, rows) == ["S\nnew", "S\na", "one more"]
    assert training_prompts(rows) == ["S\na", "S\nb"]
    assert asked_prompts(tmp_path / "none", rows) == []


def test_the_newest_prompts_are_kept(tmp_path: Path) -> None:
    rows = dataset(tmp_path / "rows", train=["a"], validation=["v"], test=["t"])
    log = tmp_path / "log.txt"
    log.write_text("".join(json.dumps({"asked": [str(number)]}) + "\n" for number in range(NEWEST + 5)))
    assert asked_prompts(log, rows) == [str(number) for number in range(5, NEWEST + 5)]


def test_the_card_has_a_line_for_prompts_only_where_they_are_captured() -> None:
    moment = datetime(2026, 11, 27, tzinfo=UTC)
    plain = Window(endpoint="one", since=moment, until=moment)
    captured = Window(endpoint="two", since=moment, until=moment, drift=drift_of(OTHERS, QUESTIONS))
    assert "distinctive words" not in monitoring_card("r", [plain], {})
    card = monitoring_card("r", [plain, captured], {})
    assert "| two | 200 | 1.00 | 1.00 | `" in card
    assert "| one | 200" not in card


def test_a_limit_needs_captured_prompts() -> None:
    content = {
        "name": "r",
        "problem": {"kind": "text-to-sql"},
        "dataset": {"source": "x"},
        "model": {"source": "x"},
        "monitoring": {"length_drift": 0.3, "vocabulary_drift": 0.8},
    }
    with pytest.raises(RecipeError) as caught:
        parse_recipe(content, "r")
    for name in ("length_drift", "vocabulary_drift"):
        assert f"monitoring.{name} needs prompts to look at: set serving.capture above 0" in str(caught.value)
    parse_recipe(content | {"serving": {"capture": 0.1}}, "r")
