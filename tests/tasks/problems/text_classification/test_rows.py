"""Labelled rows become a data set: labels of all kinds are read, texts are kept apart, the task is written down."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.problems.example import BadRow
from finetune_flows.tasks.recipe import DatasetSection, TextClassification
from tests.support.tiny_classifier import labelled_rows


def read(label: object, **section: Any) -> list[str]:
    example = TextClassification(**section).read_row({"text": " A fine film ", "label": label})
    assert example.fields["text"] == "A fine film"
    return [message["content"] for message in example.completion]


@pytest.mark.parametrize(
    ("label", "told"), [("good", ["good"]), (1, ["1"]), (1.0, ["1"]), (True, ["True"]), (" x y ", ["x y"])]
)
def test_a_label_may_be_text_or_a_number(label: object, told: list[str]) -> None:
    assert read(label) == told


@pytest.mark.parametrize("label", ["b, a", ["b", "a"], ("a", "b", "a")])
def test_several_labels_are_a_list_or_text_with_separators(label: object) -> None:
    assert read(label, multi_label=True) == ["a", "b"]
    assert read([], multi_label=True) == []


def test_labels_are_called_what_the_recipe_says() -> None:
    assert read(0, label_names={"0": "negative"}, labels=("negative", "positive")) == ["negative"]


@pytest.mark.parametrize(
    ("row", "section", "kind"),
    [
        ({"text": "a"}, {}, "missing column"),
        ({"text": "a", "label": None}, {}, "empty"),
        ({"text": "a", "label": ["x"]}, {}, "not a label"),
        ({"text": "a", "label": 0.5}, {}, "not a label"),
        ({"text": "a", "label": 3}, {"multi_label": True}, "not a list of labels"),
        ({"text": "a", "label": "z"}, {"labels": ("x", "y")}, "unknown label"),
        ({"text": "  ", "label": "x"}, {}, "empty"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row: dict[str, object], section: dict[str, Any], kind: str) -> None:
    with pytest.raises(BadRow) as caught:
        TextClassification(**section).read_row(row)
    assert kind in {reason.kind for reason in caught.value.reasons}


def build(tmp_path: Path, rows: list[dict[str, Any]], problem: TextClassification, **section: Any) -> DatasetAudit:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return build_dataset(DatasetSection(source=str(source), **section), problem, None, tmp_path / "out")


def test_training_and_test_share_no_text_however_it_is_written(tmp_path: Path) -> None:
    rows = labelled_rows(80)
    rows += [{**row, "text": row["text"].upper() + "  "} for row in rows[:40]]
    audit = build(tmp_path, rows, TextClassification())
    assert (audit.usable, audit.normalised_duplicates, audit.leakage.kept_apart) == (80, 40, "texts")
    texts = [
        {each["text"].casefold() for each in pq.read_table(tmp_path / "out" / f"{split}.parquet")["fields"].to_pylist()}
        for split in ("train", "validation", "test")
    ]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 80
    assert json.loads((tmp_path / "out" / "task.json").read_text()) == {
        "head": "classifier", "labels": ["negative", "positive"], "multi_label": False, "class_weights": "none",
        "thresholds": "none", "cleaning": [],
    }  # fmt: skip


def test_one_text_with_two_labels_is_quarantined(tmp_path: Path) -> None:
    rows = [*labelled_rows(40), {"text": "Who knows", "label": "positive"}, {"text": "who knows", "label": "negative"}]
    audit = build(tmp_path, rows, TextClassification(), max_quarantined=0.5)
    assert audit.reasons == {"conflicting answers": 2}


def test_a_label_that_no_training_row_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no training row has the label neutral"):
        build(tmp_path, labelled_rows(40), TextClassification(labels=("negative", "neutral", "positive")))
    with pytest.raises(DatasetError, match="needs 2 at least"):
        build(tmp_path / "..", [{**row, "label": "same"} for row in labelled_rows(40)], TextClassification())


def test_labels_in_one_text_are_parted_at_the_separator_of_the_recipe() -> None:
    assert read("sci-fi, space|drama", multi_label=True, separator="|") == ["drama", "sci-fi, space"]
    assert read("sci-fi, space|drama", multi_label=True) == ["sci-fi", "space|drama"]
