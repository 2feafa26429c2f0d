"""Splits share no group and no question, come near their shares, and are always the same."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.frozen import found_split, write_test_source
from tests.tasks.dataset.dataset_rows import (
    SPLITS,
    build,
    quarantined,
    read_all,
    read_split,
    row,
    sound_rows,
    write_jsonl,
)


def tables(context: str) -> set[str]:
    """An independent reading of the table names."""
    return {part.split("(")[0].split()[-1].lower() for part in context.split(";")}


def tables_by_split(out: Path) -> dict[str, set[str]]:
    return {
        split: set().union(*(tables(each["fields"]["context"]) for each in rows)) if rows else set()
        for split, rows in read_all(out).items()
    }


def joined(left: str, right: str, number: int) -> dict[str, Any]:
    return row(left, number, context=f"CREATE TABLE {left} (name TEXT, number INT); CREATE TABLE {right} (x TEXT)")


def test_no_table_is_in_two_splits_and_the_shares_are_met(tmp_path: Path) -> None:
    rows = sound_rows(tables=200, each=5)
    rows += [joined(f"table_{n}", f"TABLE_{n + 1}", 100 + n) for n in range(0, 60, 3)]
    audit = build(write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out", test_share=0.2, validation_share=0.1)
    for one, other in itertools.combinations(tables_by_split(tmp_path / "out").values(), 2):
        assert one.isdisjoint(other)
    assert audit.splits["test"] == pytest.approx(0.2 * len(rows), abs=6)
    assert audit.splits["validation"] == pytest.approx(0.1 * len(rows), abs=6)
    assert audit.leakage.groups == 180
    assert (audit.leakage.shared_groups, audit.leakage.shared_questions) == (0, 0)


def test_tables_that_hang_together_through_other_rows_stay_together(tmp_path: Path) -> None:
    chain = [joined(f"link_{n}", f"link_{n + 1}", n) for n in range(30)]
    build(write_jsonl(tmp_path / "rows.jsonl", [*chain, *sound_rows()]), tmp_path / "out")
    found = [
        each for rows in read_all(tmp_path / "out").values() for each in rows if "link" in each["fields"]["context"]
    ]
    assert {each["group"] for each in found} == {"link_0"}
    assert len(found) == 30
    # Larger than the share of the test: it is trained on.
    assert sum("link" in each["fields"]["context"] for each in read_split(tmp_path / "out", "train")) == 30


@pytest.mark.parametrize(("schemas", "each"), [(3, 40), (8, 25), (5, 1)])
def test_few_schemas_still_fill_every_split(tmp_path: Path, schemas: int, each: int) -> None:
    audit = build(write_jsonl(tmp_path / "rows.jsonl", sound_rows(schemas, each)), tmp_path / "out")
    assert all(count > 0 for count in audit.splits.values())
    assert audit.splits["train"] >= audit.splits["test"] >= each


def test_without_validation_its_file_is_empty(tmp_path: Path) -> None:
    audit = build(write_jsonl(tmp_path / "rows.jsonl", sound_rows()), tmp_path / "out", validation_share=0)
    assert audit.splits == {"train": 80, "validation": 0, "test": 20}
    assert read_split(tmp_path / "out", "validation") == []


def test_the_split_is_frozen_by_the_seed(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows())
    for out, seed in (("one", 1), ("again", 1), ("two", 2)):
        build(source, tmp_path / out, seed=seed)
    for name in [f"{split}.parquet" for split in SPLITS] + ["audit.json", "quarantine.jsonl"]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert read_split(tmp_path / "one", "test") != read_split(tmp_path / "two", "test")


def test_the_first_rows_of_a_split_are_a_sample_of_it(tmp_path: Path) -> None:
    build(write_jsonl(tmp_path / "rows.jsonl", sound_rows(100, 20)), tmp_path / "out")
    first = read_split(tmp_path / "out", "test")[:40]
    assert len({each["group"] for each in first}) > 10


def one_database(templates: int, each: int) -> list[dict[str, Any]]:
    """Rows about one schema; those of one template differ in a value and an alias."""
    return [
        row("users", number, answer=f"SELECT {'MAX' * (t > 0)}(name) AS a{number} FROM users LIMIT {number}{' OFFSET 1' * (t > 1)}",
            question=f"Question {t} about {number}?")
        for t in range(templates)
        for number in range(each)
    ]  # fmt: skip


def databases(count: int) -> list[dict[str, Any]]:
    """Rows about databases that all have a table of the same name, and each its own columns in it; some contexts leave one out."""
    return [
        {
            "question": f"What is the key {n} of {db}?",
            "context": f"CREATE TABLE users (id INT, key_{db} TEXT{', joined DATE' * (n % 2)}); CREATE TABLE t{db} (id INT)",
            "answer": f"SELECT key_{db} FROM users WHERE id = {n}",
            "db": f"db_{db}",
        }
        for db in range(count)
        for n in range(4)
    ]


def fields_by_split(out: Path, field: str) -> dict[str, set[str]]:
    return {split: {each["fields"][field] for each in rows} for split, rows in read_all(out).items()}


def test_one_database_is_split_by_query_templates(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", one_database(templates=3, each=20))
    leakage = build(source, tmp_path / "out", test_share=0.3, validation_share=0.3).leakage
    assert (leakage.split_by, leakage.kept_apart, leakage.groups) == ("query", "query templates", 3)
    assert (leakage.seen_templates, leakage.seen_questions, leakage.seen_tables) == (0, 0, 20)
    forms = [{answer.split()[1][:3] + str("OFFSET" in answer) for answer in answers}
             for answers in fields_by_split(tmp_path / "out", "answer").values()]  # fmt: skip
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(forms, 2))


def test_one_database_of_one_template_is_split_by_question(tmp_path: Path) -> None:
    audit = build(write_jsonl(tmp_path / "rows.jsonl", one_database(templates=1, each=50)), tmp_path / "out")
    assert (audit.leakage.split_by, audit.leakage.groups) == ("question", 50)
    assert (audit.leakage.seen_templates, audit.leakage.seen_questions) == (audit.splits["test"], 0)


def test_databases_that_share_a_table_name_are_told_apart_by_its_columns(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", databases(60))
    audit = build(source, tmp_path / "out")
    assert (audit.leakage.split_by, audit.leakage.kept_apart) == ("schema", "tables with their columns")
    assert (audit.leakage.groups, audit.leakage.largest_group) == (60, 4)
    keys = [
        {answer.split()[1] for answer in answers} for answers in fields_by_split(tmp_path / "out", "answer").values()
    ]
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(keys, 2))


@pytest.mark.parametrize(("split_by", "groups"), [("query", 60), ("question", 240), ("column", 60)])
def test_the_recipe_says_what_is_kept_apart(tmp_path: Path, split_by: str, groups: int) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", databases(60))
    column = {"split_column": "db"} if split_by == "column" else {}
    leakage = build(source, tmp_path / "out", split_by=split_by, **column).leakage
    assert (leakage.split_by, leakage.groups, leakage.shared_groups) == (split_by, groups, 0)
    if split_by == "column":
        assert {each["group"] for each in read_split(tmp_path / "out", "test")} <= {f"db_{n}" for n in range(60)}


def test_one_question_about_two_schemas_is_on_one_side(tmp_path: Path) -> None:
    rows = [row(f"table_{n}", n % 10) for n in range(60)]
    build(write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out", split_by="question")
    asked = fields_by_split(tmp_path / "out", "question").values()
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(asked, 2))


def test_rows_without_the_column_to_split_by_are_quarantined(tmp_path: Path) -> None:
    rows = [*databases(20), row("other", 1), row("other", 2, db="")]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    audit = build(source, tmp_path / "out", split_by="column", split_column="db")
    assert audit.reasons == {"no value to split by": 2}
    assert audit.rows == audit.usable + audit.quarantined


def test_a_schema_that_cannot_be_split_is_refused_where_the_recipe_asks_for_it(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows(tables=1, each=50))
    with pytest.raises(
        DatasetError, match=r"shared tables with their columns \(table_0#.*Set dataset.split_by to auto"
    ):
        build(source, tmp_path / "out", split_by="schema")


@pytest.mark.parametrize("split_by", ["query", "question", "column"])
def test_what_is_kept_apart_from_a_frozen_test_stays_so(tmp_path: Path, split_by: str) -> None:
    column = {"split_column": "db"} if split_by == "column" else {}
    source = write_jsonl(tmp_path / "rows.jsonl", databases(40))
    build(source, tmp_path / "first", split_by=split_by, **column)
    frozen = tmp_path / "frozen.jsonl"
    names = column.get("split_column")
    write_test_source(tmp_path / "first", lambda fields: dict(fields), None, frozen, names)
    more = write_jsonl(tmp_path / "more.jsonl", [*databases(50)])
    audit = build(
        more, tmp_path / "again", split_by=split_by, test_source=str(frozen), test_groups_apart=True, **column
    )
    assert audit.splits["test"] == len(read_split(tmp_path / "first", "test"))
    assert audit.leakage.shared_groups == 0
    assert audit.splits["train"] + audit.splits["validation"] == 200 - audit.splits["test"]


def test_what_auto_found_is_known_to_the_next_run(tmp_path: Path) -> None:
    for templates, found in ((3, "query"), (1, "question")):
        source = write_jsonl(tmp_path / f"{found}.jsonl", one_database(templates, 20))
        build(source, tmp_path / found)
        assert found_split(tmp_path / found) == found
    build(write_jsonl(tmp_path / "rows.jsonl", sound_rows()), tmp_path / "schema")
    assert found_split(tmp_path / "schema") is None


def test_one_database_with_a_test_of_its_own_is_split_by_question(tmp_path: Path) -> None:
    rows = sound_rows(tables=1, each=60)
    source, test = write_jsonl(tmp_path / "rows.jsonl", rows[:55]), write_jsonl(tmp_path / "test.jsonl", rows[40:])
    audit = build(source, tmp_path / "out", test_source=str(test), validation_share=0.1)
    assert audit.splits == {"train": 36, "validation": 4, "test": 20}
    assert audit.leakage.kept_apart == "questions"
    assert audit.leakage.dropped_from_train == 15
    asked = {split: {each["fields"]["question"] for each in rows} for split, rows in read_all(tmp_path / "out").items()}
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(asked.values(), 2))
    dropped = [line for line in quarantined(tmp_path / "out") if line["reasons"][0]["kind"] == "asked in the test"]
    assert dropped[0]["line"] == 41
    assert dropped[0]["reasons"][0]["detail"] == "see test_source:test.jsonl:1"


def test_with_a_test_source_train_loses_what_the_test_asks_in_other_words_of_case(tmp_path: Path) -> None:
    test = [row("table_0", 1, question="WHO has  the number 1?", answer="SELECT 'another answer'"), row("table_9", 99)]
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows())
    audit = build(source, tmp_path / "out", test_source=str(write_jsonl(tmp_path / "test.jsonl", test)))
    assert audit.leakage.dropped_from_train == 1
    assert audit.splits["test"] == 2
    assert audit.splits["train"] + audit.splits["validation"] == 99
    assert audit.leakage.kept_apart == "tables"
    assert audit.leakage.shared_groups > 0  # table_9 may be in both: the test was given
    assert audit.leakage.shared_questions == 0


def test_a_source_that_is_its_own_test_leaves_nothing_to_train_on(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", sound_rows())
    with pytest.raises(DatasetError, match="too few usable rows are left"):
        build(source, tmp_path / "out", test_source=str(source))


def test_rows_are_drawn_by_seed(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [*sound_rows(), *sound_rows()])
    audit = build(source, tmp_path / "out", max_rows=40)
    assert (audit.rows, audit.usable, audit.not_drawn, audit.exact_duplicates) == (200, 40, 60, 100)
    build(source, tmp_path / "other", max_rows=40, seed=1)
    ids = [{each["id"] for rows in read_all(tmp_path / out).values() for each in rows} for out in ("out", "other")]
    assert ids[0] != ids[1]


def test_a_slice_column_that_no_row_has_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'kinds'; check dataset\.slice_column"):
        build(write_jsonl(tmp_path / "rows.jsonl", sound_rows()), tmp_path / "out", slice_column="kinds")
