"""Whatever the rows hold: none is lost, none is in two splits, and the same rows give the same files."""

import itertools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.problems.example import BadRow, normalise
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from tests.tasks.dataset.dataset_rows import SPLITS, build, quarantined, read_all, row, sound_rows, write_jsonl

TABLES = ["a", "A", "b", "c", "straße", "STRASSE", "無極"]
# Few of each, so that duplicates, conflicts and chains of tables come up; and any text at all.
questions = st.sampled_from(["How many?", "how  MANY?", "Ｈow many?", "Who?"]) | st.text(max_size=8)
contexts = st.lists(st.sampled_from(TABLES), min_size=1, max_size=3).map(
    lambda names: "; ".join(f'CREATE TABLE "{name}" (x TEXT)' for name in names)
) | st.text(max_size=12)
answers = st.sampled_from([f'SELECT x FROM "{name}"' for name in TABLES] + ["SELECT 1", "select 1;"]) | st.text(
    max_size=12
)
values = st.none() | st.integers() | st.text(max_size=5)
rows = st.fixed_dictionaries({"question": questions, "context": contexts, "answer": answers}) | st.dictionaries(
    st.sampled_from(["question", "context", "answer", "other"]), values
)
lines = st.lists(rows | st.binary(max_size=20).filter(lambda raw: b"\n" not in raw and raw.strip()), max_size=25)
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FILLER = sound_rows(tables=6, each=2)  # enough groups for every split


def _build(folder: str, name: str, content: list[dict[str, Any] | bytes], **section: Any) -> tuple[Path, Any]:
    out = Path(folder) / name
    return out, build(write_jsonl(Path(folder) / f"{name}.jsonl", content), out, **section)


@quick
@given(lines, st.integers(0, 30))
def test_no_row_is_lost(content: list[dict[str, Any] | bytes], max_rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out, audit = _build(folder, "rows", [*FILLER, *content], max_rows=max_rows and max_rows + 10)
        assert audit.rows == len(FILLER) + len(content)
        left_out = audit.quarantined + audit.exact_duplicates + audit.normalised_duplicates
        assert audit.rows == audit.usable + audit.not_drawn + left_out
        assert audit.usable == sum(len(read) for read in read_all(out).values())
        assert len(quarantined(out)) == left_out
        places = [(line["file"], line["line"]) for line in quarantined(out)]
        assert len(places) == len(set(places))


@quick
@given(lines, st.integers(0, 5))
def test_splits_share_no_table_and_no_question(content: list[dict[str, Any] | bytes], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out, _ = _build(folder, "rows", [*FILLER, *content], seed=seed, validation_share=0.2)
        found = read_all(out)
        assert all(found[split] for split in SPLITS)
        for one, other in itertools.combinations(SPLITS, 2):
            for trait in (_tables, _asked):
                assert trait(found[one]).isdisjoint(trait(found[other]))
        ids = [each["id"] for split in SPLITS for each in found[split]]
        assert len(ids) == len(set(ids))


def _tables(found: list[dict[str, Any]]) -> set[str]:
    return {name for each in found for name in TextToSql().read_row(each["fields"]).shares}


def _asked(found: list[dict[str, Any]]) -> set[str]:
    return {normalise(each["fields"]["question"]) + normalise(each["fields"]["context"]) for each in found}


@quick
@given(lines, st.randoms(use_true_random=False))
def test_the_same_rows_in_any_order_give_the_same_bytes(
    content: list[dict[str, Any] | bytes], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        every = [*FILLER, *content]
        one, _ = _build(folder, "one", every)
        rng.shuffle(every)
        other, _ = _build(folder, "other", every)
        for split in SPLITS:
            assert (one / f"{split}.parquet").read_bytes() == (other / f"{split}.parquet").read_bytes()


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["question", "context", "answer"]),
    st.text(),
    st.sampled_from(["sqlite", "mysql", "postgres", "duckdb"]),
)
def test_any_text_is_an_example_or_a_bad_row(column: str, text: str, dialect: Any) -> None:
    values = row("t", 1, **{column: text})
    try:
        example = TextToSql(dialect=dialect).read_row(values)
    except BadRow:
        return
    assert example.fields[column] == text.strip()
    assert json.loads(json.dumps(example.fields).encode("utf-8")) == example.fields
