"""Labelled rows become a data set: labels of all kinds are read, texts are kept apart, the task is written down."""

import json
import pickle
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.problems.example import BadRow
from finetune_flows.tasks.problems.text_classification.labels import ClassName
from finetune_flows.tasks.recipe import DatasetSection, TextClassification, parse_recipe
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


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("['a', 'b']", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("['a' 'b']", ["a", "b"]),
        ("['it\\'s', \"b, c\"]", ["b, c", "it's"]),
        ("[1, 2]", ["1", "2"]),
        ("[a, b]", ["a", "b"]),
        ("['a', None]", ["a"]),
        ("[]", []),
        ("a, b, ", ["a", "b"]),
        (",a,,b", ["a", "b"]),
        ("", []),
        (None, []),
        (float("nan"), []),
        ([None, "a", float("nan"), " "], ["a"]),
        ("[a], b", ["[a]", "b"]),
        ("{'a', 'b'}", ["a", "b"]),
        ("('a', 'b')", ["a", "b"]),
        ("[1. 2.]", ["1", "2"]),
        ("sad :(, glad", ["glad", "sad :("]),
    ],
)
def test_several_labels_are_read_as_files_hold_them(cell: object, labels: list[str]) -> None:
    assert read(cell, multi_label=True) == labels


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ([0, 1, 0], "a list of 0 and 1"),
        ("[0. 1. 0.]", "a list of 0 and 1"),
        ("[np.str_('a'), np.str_('b')]", "not a list of labels"),
        ("cough (dry, loud), fever", "not a list of labels"),
        ('"a,b",c', "not a list of labels"),
    ],
)
def test_lists_of_another_kind_are_no_labels(cell: object, kind: str) -> None:
    with pytest.raises(BadRow) as caught:
        read(cell, multi_label=True)
    assert {reason.kind for reason in caught.value.reasons} == {kind}


def test_a_list_in_a_text_is_no_single_label() -> None:
    with pytest.raises(BadRow, match="not a label"):
        read("['a', 'b']")
    assert read("[a]") == ["[a]"]


SPELLINGS = (1, 1.0, True, "1", "1.0", "true", "True", " TRUE ")


@pytest.mark.parametrize("spelling", SPELLINGS, ids=repr)
@pytest.mark.parametrize("key", [1, "1", 1.0, True, "true"], ids=repr)
def test_a_name_is_found_however_row_and_recipe_spell_the_label(spelling: object, key: object) -> None:
    assert read(spelling, label_names={0: "negative", key: "positive"}) == ["positive"]
    assert read(spelling, labels=(0, key)) == [str(key)]


def test_a_code_with_leading_zeros_is_no_number() -> None:
    assert read("007", label_names={7: "seven"}) == ["007"]
    assert read("1.5", label_names={1: "one"}) == ["1.5"]


def test_the_name_of_a_class_and_its_number_may_both_be_renamed() -> None:
    label = ClassName("neg", 0)
    assert read(label) == ["neg"]
    assert read(label, label_names={"neg": "bad"}) == read(label, label_names={0: "bad"}) == ["bad"]
    assert pickle.loads(pickle.dumps(label)).number == 0


@pytest.mark.parametrize(("value", "text"), [(Decimal("3.00"), "3"), (date(2024, 1, 31), "2024-01-31")])
def test_decimals_and_dates_are_labels(value: object, text: str) -> None:
    assert read(value) == [text]


def test_columns_of_0_and_1_are_labels() -> None:
    problem = TextClassification(label_columns=("toxic", "rude"), multi_label=True)
    for marked, blank in ((1, 0), ("1", "0"), (1.0, 0.0), (True, False), ("true", "False")):
        row = {"text": "You fool", "toxic": blank, "rude": marked}
        example = problem.read_row(row)
        assert json.loads(example.fields["labels"]) == ["rude"]
        assert problem.read_row(problem.row_of(example.fields)) == example
    assert json.loads(problem.read_row({**row, "rude": 0}).fields["labels"]) == []
    assert json.loads(TextClassification(label_columns=("toxic", "rude")).read_row(row).fields["labels"]) == ["rude"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"rude": 0}, "not one label"), ({"toxic": 1}, "not one label"), ({"rude": 2}, "neither 0 nor 1"), ({"rude": None}, "empty")],
)  # fmt: skip
def test_columns_that_name_no_label_say_why(change: dict[str, object], kind: str) -> None:
    with pytest.raises(BadRow) as caught:
        TextClassification(label_columns=("toxic", "rude")).read_row({"text": "a", "toxic": 0, "rude": 1, **change})
    assert {reason.kind for reason in caught.value.reasons} == {kind}


def test_odd_labels_are_told(tmp_path: Path) -> None:
    rows = labelled_rows(80)
    for row in rows[:9]:
        row["label"] = row["label"].title()
    audit = build(
        tmp_path, rows, TextClassification(label_names={"positive": "good", "unknown": "bad"}), test_share=0.1
    )
    assert len(audit.notes) == 3
    assert "no row has the label bad" in audit.notes[0]
    assert "no name to the label Negative, Positive, negative" in audit.notes[1]
    assert audit.notes[2].startswith("These labels may be one: Negative (")


def test_a_recipe_may_write_label_names_as_the_docs_do() -> None:
    content = {
        "name": "a", "model": {"source": "x"}, "dataset": {"source": "x"},
        "problem": yaml.safe_load("{kind: text-classification, label_names: {0: negative, 1: positive}}"),
    }  # fmt: skip
    problem = parse_recipe(content, "test").problem
    assert isinstance(problem, TextClassification)
    assert problem.label_names == {"0": "negative", "1": "positive"}


CELLS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=False)
    | st.text(max_size=12)
    | st.binary(max_size=3)
)


@settings(max_examples=300, deadline=None)
@given(CELLS | st.lists(CELLS, max_size=3) | st.from_regex(r"\A\[['\"\\a, ]*\]\Z"), st.booleans())
def test_any_label_is_read_or_has_a_reason(label: object, several: bool) -> None:
    problem = TextClassification(multi_label=several, label_names={1: "one"})
    try:
        example = problem.read_row({"text": "A film", "label": label})
    except BadRow as bad:
        if not bad.reasons:
            raise
        return
    assert problem.read_row(problem.row_of(example.fields)).fields == example.fields
