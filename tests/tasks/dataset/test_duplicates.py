"""Duplicates are dropped once, conflicts are quarantined, and both name the other row."""

import random
from pathlib import Path

from tests.tasks.dataset.dataset_rows import build, quarantined, read_all, row, sound_rows, write_jsonl


def test_duplicates_and_conflicts_are_told_apart_and_traced(tmp_path: Path) -> None:
    lines = [
        row("a", 1),
        row("a", 1),  # exact
        row("a", 1, question="WHO has  the number 1?", answer="select name\nfrom A where NUMBER = 1;"),  # normalised
        row("b", 2),
        row("b", 2, question="who has the number 2?", answer="SELECT number FROM b"),  # in conflict
        row("c", 3, answer="SELECT name FROM c WHERE name = 'Ann'"),
        row("c", 3, answer="SELECT name FROM c WHERE name = 'ann'"),  # in conflict: case counts inside quotes
    ]
    audit = build(write_jsonl(tmp_path / "rows.jsonl", [*lines, *sound_rows()]), tmp_path / "out")
    assert (audit.exact_duplicates, audit.normalised_duplicates, audit.conflicting_answers) == (1, 1, 4)
    assert audit.quarantined == 4
    told = {
        line["line"]: (line["reasons"][0]["kind"], line["reasons"][0]["detail"])
        for line in quarantined(tmp_path / "out")
    }
    variant = {1, 3} & told.keys()
    assert len(variant) == 1  # one of the two variants stays
    assert told.pop(variant.pop())[0] == "normalised duplicate"
    assert told == {
        2: ("exact duplicate", "see rows.jsonl:1"),
        4: ("conflicting answers", "see rows.jsonl:5"),
        5: ("conflicting answers", "see rows.jsonl:4"),
        6: ("conflicting answers", "see rows.jsonl:7"),
        7: ("conflicting answers", "see rows.jsonl:6"),
    }


def test_the_same_question_about_other_schemas_is_no_duplicate(tmp_path: Path) -> None:
    rows = [row(f"table_{n}", 1) for n in range(30)]
    audit = build(write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out")
    assert (audit.usable, audit.exact_duplicates, audit.normalised_duplicates) == (30, 0, 0)


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    rows = sound_rows()
    rows += [dict(line, question=line["question"].upper()) for line in rows[:30]] + rows[10:40]
    rows += [dict(line, answer="SELECT 1") for line in rows[60:65]]
    build(write_jsonl(tmp_path / "1.jsonl", rows), tmp_path / "one")
    random.Random(3).shuffle(rows)
    build(write_jsonl(tmp_path / "2.jsonl", rows), tmp_path / "two")
    assert read_all(tmp_path / "one") == read_all(tmp_path / "two")
