"""Declared steps: what each does to a text, that they run in order and are counted, and that the task names them."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_flows.containers.serving.cleaning import Step, clean
from finetune_flows.tasks.base.errors import DatasetError, RecipeError
from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.dataset.languages import in_another_language
from finetune_flows.tasks.dataset.preprocessing import Preprocessing
from finetune_flows.tasks.problems.example import BadRow
from finetune_flows.tasks.recipe import DatasetSection, TextClassification
from finetune_flows.tasks.reporting.dataset_card import dataset_card
from tests.support.tiny_classifier import labelled_rows


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("unicode", "ﬁne ｆｉｌｍ", "fine film"),
        ("control_characters", "a\u200bb\x07c\nd", "abc\nd"),
        ("html", "<p>Good&nbsp;&amp; <b>cheap</b></p><script>x()</script>", "Good\xa0& cheap"),
        ("html", "a < b and c > d", "a < b and c > d"),
        ("whitespace", "  a \t b\n", "a b"),
        ("lower_case", "ÄPFEL", "äpfel"),
        ("mask_pii", "ann.lee+x@mail.example.org, see https://a.example/b?c=1", "[EMAIL], see [URL]"),
        ("mask_pii", "10.0.0.1 and DE89 3704 0044 0532 0130 00", "[IP] and [IBAN]"),
        ("mask_pii", "4111 1111 1111 1111 or +49 170 1234567", "[CARD] or [PHONE]"),
        ("mask_pii", "5 of 10 in 2026, order 123456", "5 of 10 in 2026, order 123456"),
    ],
)
def test_a_step_changes_what_it_says(step: Step, before: str, after: str) -> None:
    assert clean(before, [step]) == after


def test_steps_run_in_the_order_in_which_they_stand() -> None:
    assert clean("<b>A&nbsp;B</b>", ["html", "unicode", "whitespace", "lower_case"]) == "a b"
    assert clean("&lt;b&gt;A", ["html", "html"]) != clean("&lt;b&gt;A", ["html"]), "twice is not once"


@pytest.mark.parametrize("step", get_args(Step))
def test_no_step_takes_long_over_a_hostile_text(step: Step) -> None:
    for text in ("<" * 50_000, "a@" * 50_000, "1 " * 50_000, "&#" * 50_000, "+1-" * 50_000, "http://" * 20_000):
        clean(text, [step])


def build(tmp_path: Path, rows: list[dict[str, Any]], **section: Any) -> DatasetAudit:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    section = {"max_quarantined": 1, **section}
    return build_dataset(DatasetSection(source=str(source), **section), TextClassification(), None, tmp_path / "out")


def test_each_step_is_counted_and_the_server_is_told(tmp_path: Path) -> None:
    rows = labelled_rows(40)
    rows[0]["text"] = f"<b>{rows[0]['text']}</b>"
    audit = build(tmp_path, rows, steps=("html", "lower_case", "whitespace"))
    assert audit.steps == {"html": 1, "lower_case": 40}
    assert "| lower case | 40 |" in dataset_card(audit)
    assert json.loads((tmp_path / "out" / "task.json").read_text())["cleaning"] == ["html", "lower_case", "whitespace"]


def test_steps_come_before_duplicates_are_looked_for(tmp_path: Path) -> None:
    rows = labelled_rows(40)
    audit = build(tmp_path, [*rows, {**rows[3], "text": f"<i>{rows[3]['text']}</i>"}], steps=("html",))
    assert audit.exact_duplicates == 1


def test_a_missing_text_is_left_out_filled_or_ends_the_run(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [*labelled_rows(40), {"text": None, "label": "positive"}]
    assert build(tmp_path, rows).reasons == {"empty": 1}
    assert build(tmp_path, rows, missing="fill", fill_with="nothing said").steps == {"missing filled": 1}
    with pytest.raises(DatasetError, match=r"a row has no text in column \w+, and dataset\.missing is fail"):
        build(tmp_path, rows, missing="fail")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The soup was cold and the waiter did not smile.", True),
        ("Das Essen war kalt und der Kellner unfreundlich.", True),
        ("Le film était vraiment très ennuyeux et long.", False),
        ("La comida estaba muy buena y también barata.", False),
        ("Это был прекрасный фильм о любви.", False),
        ("这部电影太好看了,我非常喜欢", False),
        ("What Is The Score Of The Final In Tarakan?", True),
        ("How Did The Game Number 50 End?", True),
        ("WHAT IS THE PLACE WITH PLAYER mark o'meara?", True),
        ("Quel Est Le Nom Du Joueur Qui A Marqué Le Plus De Buts ?", False),
        ("¿CUÁL ES EL NOMBRE DEL JUGADOR CON MÁS GOLES?", False),
        ("très ennuyeux", True),  # too short to tell
        ("Merci beaucoup for the lovely evening, we shall come again", True),
        ("12345 :-) :-) 67890 --- 2026-11-27", True),
        ("x = [f(y) for y in range(10)]", True),
    ],
)
def test_a_text_that_is_clearly_in_another_language_is_left_out(text: str, kept: bool) -> None:
    before = Preprocessing(columns=("text",), languages=("en", "de"))
    if kept:
        assert before.apply({"text": text}) == ({"text": text}, ())
        return
    with pytest.raises(BadRow) as caught:
        before.apply({"text": text})
    assert [reason.kind for reason in caught.value.reasons] == ["another language"]


@given(st.text())
def test_every_text_is_in_some_language(text: str) -> None:
    in_another_language(text, ("en",), "text")


def test_rows_in_another_language_are_counted_and_an_unknown_one_is_told(tmp_path: Path) -> None:
    french = [{"text": f"Le film était vraiment très ennuyeux, numéro {n}.", "label": "bad"} for n in range(3)]
    audit = build(tmp_path, [*labelled_rows(40), *french], languages=["en"])
    assert audit.reasons == {"another language": 3}
    with pytest.raises(RecipeError, match=r"unknown code xx; known codes are ace, .* zh"):
        build(tmp_path, labelled_rows(40), languages=["en", "xx"])


def test_texts_of_a_length_that_is_not_wanted_are_quarantined(tmp_path: Path) -> None:
    rows = [*labelled_rows(40), {"text": "ok", "label": "positive"}, {"text": "long " * 50, "label": "negative"}]
    audit = build(tmp_path, rows, min_characters=3, max_characters=100)
    assert audit.reasons == {"too few characters": 1, "too many characters": 1}
