"""A classifier's figures are those of scikit-learn; their intervals cover; labels become verdicts."""

import json

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.text_classification.asking import LabelForm, read_labelled
from finetune_flows.tasks.problems.text_classification.baseline import linear_answers
from finetune_flows.tasks.problems.text_classification.measures import averages, by_label, calibration
from finetune_flows.tasks.problems.text_classification.page import details_page
from finetune_flows.tasks.problems.text_classification.verdicts import LabelJudge
from tests.support.tiny_classifier import write_labelled

LABELS = ["a", "b", "c"]


def matrices(rows: int, seed: int, several: bool) -> tuple[np.ndarray, np.ndarray]:
    """What is right and what was chosen, right in about two of three places."""
    random = np.random.default_rng(seed)
    if several:
        right = random.random((rows, 3)) < [0.5, 0.2, 0.1]
        return right, right ^ (random.random((rows, 3)) < 0.3)
    gold = random.choice(3, rows, p=[0.6, 0.3, 0.1])
    said = np.where(random.random(rows) < 0.65, gold, random.integers(0, 3, rows))
    return gold[:, None] == np.arange(3), said[:, None] == np.arange(3)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_averages_are_those_of_scikit_learn(several: bool, average: str) -> None:
    right, chosen = matrices(200, 1, several)
    expected = precision_recall_fscore_support(right, chosen, average=average, zero_division=0)
    found = averages(right, chosen)
    for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
        estimate = found[f"{average}_{name}"]
        assert estimate.value == pytest.approx(value)
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 200


def test_each_label_has_its_own_figures() -> None:
    right, chosen = matrices(300, 2, several=False)
    expected = precision_recall_fscore_support(right, chosen, average=None, zero_division=0)
    table = by_label(LABELS, right, chosen)
    for place, label in enumerate(LABELS):
        assert table[label]["precision"]["value"] == pytest.approx(expected[0][place])
        assert table[label]["recall"]["value"] == pytest.approx(expected[1][place])
        assert table[label]["f1"]["value"] == pytest.approx(expected[2][place])
        assert table[label]["support"] == expected[3][place]


def test_the_interval_covers_the_true_f1_about_as_often_as_it_says() -> None:
    """60 samples of 200 rows from a population of 200,000: 57 are expected to cover it."""
    right, chosen = matrices(200_000, 3, several=False)
    truth = averages_value(right, chosen)
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(60):
        drawn = random.choice(len(right), 200, replace=False)
        estimate = averages(right[drawn], chosen[drawn])["macro_f1"]
        hits += estimate.low <= truth <= estimate.high
    assert 51 <= hits <= 60


def averages_value(right: np.ndarray, chosen: np.ndarray) -> float:
    return float(precision_recall_fscore_support(right, chosen, average="macro")[2])


def test_calibration_is_the_mean_distance_of_confidence_and_accuracy() -> None:
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    found = calibration(confidence, np.array([True, False, True, True]), bins=10)
    assert found["ece"] == pytest.approx((2 * 0.45 + 2 * 0.45) / 4)
    assert [step["rows"] for step in found["bins"]] == [2, 2]
    random = np.random.default_rng(5)
    honest = random.random(20_000)
    assert calibration(honest, random.random(20_000) < honest, bins=10)["ece"] < 0.02
    assert calibration(np.array([1.0]), np.array([True]), bins=10)["ece"] == 0


def row(name: str, *labels: str) -> TestRow:
    return TestRow(
        id=name, prompt=[{"role": "user", "content": name}], fields={"text": name, "labels": json.dumps(labels)}
    )


def answer(chosen: list[str], **scores: float) -> str:
    return json.dumps({"scores": scores, "chosen": chosen})


def test_verdicts_say_what_was_taken_for_what() -> None:
    rows = [row("1", "bad"), row("2", "good"), row("3", "good")]
    answers = {"1": answer(["bad"], bad=0.9, good=0.1), "2": answer(["bad"], bad=0.6, good=0.4)}
    judged = LabelJudge(["bad", "good"]).judge(rows, answers)
    assert [verdict.kind for verdict in judged.verdicts] == ["right", "good taken for bad", "good taken for none"]
    assert [verdict.outcomes["accuracy"] for verdict in judged.verdicts] == [True, False, False]
    assert judged.details["confusion"] == [[1, 0], [1, 0]]
    assert judged.details["majority"]["label"] == "good"
    page = "\n".join(details_page(judged.details))
    assert "| bad | 1 | 0.500 (" in page
    assert "| good | 1 | 0 |" in page
    assert "right for 66.7% of the rows" in page
    assert judged.wrong[0].answer == "bad 0.600, good 0.400"
    assert judged.estimates["macro_recall"].value == pytest.approx(0.5)


def test_of_several_labels_all_must_be_right() -> None:
    rows = [row("1", "a", "b"), row("2"), row("3", "a")]
    answers = {"1": answer(["b", "a"], a=0.9, b=0.8), "2": answer([], a=0.1, b=0.2), "3": answer(["a", "b"], a=1, b=1)}
    judged = LabelJudge(["a", "b"], multi_label=True).judge(rows, answers)
    assert [verdict.outcomes["accuracy"] for verdict in judged.verdicts] == [True, True, False]
    assert "confusion" not in judged.details


def test_a_reply_without_the_servers_choice_is_read_by_its_scores() -> None:
    items = [{"label": "a", "score": 0.7}, {"label": "b", "score": 0.6}]
    assert read_labelled(LabelForm(False).read(items).text).chosen == ["a"]
    assert read_labelled(LabelForm(True).read([items]).text).chosen == ["a", "b"]
    chosen = [{**item, "chosen": item["label"] == "b"} for item in items]
    assert read_labelled(LabelForm(False).read(chosen).text).chosen == ["b"]


def test_the_linear_baseline_learns_from_the_training_rows(tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = write_labelled(tmp_path, rows=80)
    rows = [row("The film and the plot are lovely", "positive"), row("The cast and the plot are dull", "negative")]
    said = linear_answers(folder / "train.parquet", rows, multi_label=False)
    assert [read_labelled(said[each.id]).chosen for each in rows] == [["positive"], ["negative"]]


def test_calibration_is_taken_in_as_many_steps_as_the_recipe_says() -> None:
    rows = [row("1", "bad"), row("2", "good")]
    answers = {"1": answer(["bad"], bad=0.9, good=0.1), "2": answer(["bad"], bad=0.6, good=0.4)}
    for bins in (2, 4):
        judge = LabelJudge(["bad", "good"], calibration_bins=bins)
        calibrated = judge.judge(rows, answers).details["calibration"]
        # In two steps both confidences, 0.9 and 0.6, are in one: |0.75 - 0.5|. In four each is alone: (0.1 + 0.6) / 2.
        assert calibrated["ece"] == pytest.approx({2: 0.25, 4: 0.35}[bins])
