"""Sources: four file formats, folders, hub data sets; and what is said when one cannot be read."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.base.errors import DatasetError, TryLater
from finetune_flows.tasks.dataset.build import find_sources
from finetune_flows.tasks.dataset.hub import HubRows
from finetune_flows.tasks.dataset.readers import MAX_JSON
from finetune_flows.tasks.recipe import DatasetSection
from tests.tasks.dataset.dataset_rows import build, kinds_by_place, read_all, row, sound_rows, write_jsonl

Rows = list[dict[str, Any]]


def write_json(path: Path, rows: Rows) -> Path:
    path.write_text(json.dumps(rows, indent=1))
    return path


def write_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: Rows) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    return path


def write_folder(path: Path, rows: Rows) -> Path:
    folder = path.parent / "folder"
    (folder / "more").mkdir(parents=True)
    (folder / ".cache").mkdir()
    (folder / "README.md").write_text("not rows")
    (folder / ".cache" / "rows.jsonl").write_text("not rows")
    write_parquet(folder / "c.parquet", rows[:20])
    write_csv(folder / "more" / "b.csv", rows[20:40])
    write_json(folder / "a.json", rows[40:60])
    write_jsonl(folder / "more" / "d.ndjson", rows[60:])
    return folder


def write_json_lines_called_json(path: Path, rows: Rows) -> Path:
    return write_jsonl(path.with_suffix(".json"), rows)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_json, "rows.json"),
        (write_json_lines_called_json, "lines"),
        (write_csv, "rows.csv"),
        (write_parquet, "rows.parquet"),
        (write_folder, "rows"),
    ],
)
def test_all_formats_give_the_same_data_set(tmp_path: Path, write: Callable[[Path, Rows], Path], name: str) -> None:
    rows = sound_rows()
    rows[0] |= row("table_0", question='Who is "無極威",\nand who is not?', kind="nasty")
    rows = [{"kind": "plain", **each} for each in rows]
    build(write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "expected", slice_column="kind")
    build(write(tmp_path / name, rows), tmp_path / "out", slice_column="kind")
    assert read_all(tmp_path / "out") == read_all(tmp_path / "expected")
    assert {each["slice"] for split in read_all(tmp_path / "out").values() for each in split} == {"plain", "nasty"}


def test_the_audit_holds_the_digest_of_each_file(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "rows", sound_rows())
    test = write_jsonl(tmp_path / "test.jsonl", [row("other", 1)])
    audit = build(folder, tmp_path / "out", test_source=str(test))
    assert list(audit.sources) == ["a.json", "c.parquet", "more/b.csv", "more/d.ndjson", "test_source:test.jsonl"]
    assert audit.sources["more/b.csv"] == hashlib.sha256((folder / "more" / "b.csv").read_bytes()).hexdigest()


def test_bad_csv_rows_are_named_by_the_line_where_they_start(tmp_path: Path) -> None:
    sound = sound_rows()
    lines = ["\ufeffquestion,context,answer"]
    lines += [",".join(f'"{value}"' for value in each.values()) for each in sound]
    lines.insert(2, '"two\nlines",too few')
    lines.insert(3, '"a" b,c,d')
    lines.append('"never closed,')
    path = tmp_path / "rows.csv"
    path.write_bytes("\n".join(lines).encode() + b"\xff\n")
    audit = build(path, tmp_path / "out")
    assert kinds_by_place(tmp_path / "out") == {
        ("rows.csv", 3): {"wrong number of cells"},
        ("rows.csv", 5): {"broken CSV"},
        ("rows.csv", 105): {"broken CSV"},
    }
    assert audit.usable == len(sound)


def test_csv_text_that_is_not_utf8_is_quarantined(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "rows.csv", [*sound_rows(), row("t", question="café")])
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xe9"))
    build(path, tmp_path / "out")
    assert kinds_by_place(tmp_path / "out") == {("rows.csv", 102): {"not Unicode text"}}


def test_parquet_text_that_is_not_utf8_is_quarantined(tmp_path: Path) -> None:
    rows = [*sound_rows(), row("t")]
    path = write_parquet(tmp_path / "rows.parquet", rows)
    broken = pa.array([each["question"].encode() for each in rows[:-1]] + [b"caf\xe9"]).view(pa.string())
    pq.write_table(pq.read_table(path).set_column(0, "question", broken), path)
    build(path, tmp_path / "out")
    assert kinds_by_place(tmp_path / "out") == {("rows.parquet", 101): {"not UTF-8"}}


def test_a_json_array_may_hold_rows_that_are_no_objects(tmp_path: Path) -> None:
    build(write_json(tmp_path / "rows.json", [*sound_rows(), 5, None]), tmp_path / "out")  # type: ignore[list-item]
    assert set(kinds_by_place(tmp_path / "out")) == {("rows.json", 101), ("rows.json", 102)}


def _truncated_parquet(folder: Path) -> Path:
    path = write_parquet(folder / "rows.parquet", sound_rows())
    path.write_bytes(path.read_bytes()[:-50])
    return path


def _damaged_parquet(folder: Path) -> Path:
    path = write_parquet(folder / "rows.parquet", sound_rows())
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(bytes(content))
    return path


def _large_array(folder: Path) -> Path:
    path = folder / "rows.json"
    with path.open("wb") as file:
        file.write(b"[")
        file.truncate(MAX_JSON + 1)  # sparse: takes no room on the disk
    return path


def _written(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_text(content)
        return path

    return write


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none.jsonl", "there is no such file or folder"),
        (lambda folder: folder, "the folder holds no .jsonl, .ndjson, .json, .csv, .tsv, .parquet file"),
        (_written("rows.xlsx", "PK"), "rows are read from .jsonl"),
        (_written("rows.jsonl", "\n\n"), "holds no rows"),
        (_written("rows.json", '[{"question": "a"}, '), "One broken row makes a whole array unreadable"),
        (_written("rows.json", '"text"'), "expected an array of rows, found str"),
        (_large_array, "must fit into 67,108,864 bytes"),
        (_written("rows.csv", ""), "names each column once"),
        (_written("rows.csv", "a,a\n1,2\n"), "names each column once"),
        (_written("rows.parquet", "PAR1 nonsense"), "damaged after row 0"),
        (_truncated_parquet, "damaged after row 0"),
        (_damaged_parquet, "damaged after row"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    with pytest.raises(DatasetError) as caught:
        build(make(folder), tmp_path / "out")
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_hub_id_without_a_revision_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"If it is a hub id, set dataset\.revision to a commit"):
        build(Path("b-mc2/sql-create-context"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_hub_data_set_is_streamed(tmp_path: Path) -> None:
    """A folder laid out like a hub repository: load_dataset takes it in the place of an id."""
    rows = [*sound_rows(), row("t", answer="SELECT FROM")]
    write_jsonl(tmp_path / "repository" / "data" / "train.jsonl", rows)
    write_jsonl(tmp_path / "repository" / "data" / "test.jsonl", [row("t")])
    source = HubRows(str(tmp_path / "repository"), "main", "train", label="")
    read = list(source.rows())
    assert [each.values for each in read] == rows
    assert [each.line for each in read] == list(range(1, 102))
    assert source.digests() == {source.name: "revision main, split train"}
    with pytest.raises(DatasetError, match="Check the id, the revision and the split"):
        list(HubRows(source.name, "main", "dev", label="").rows())


def test_a_hub_out_of_reach_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TryLater, match="the Hugging Face hub cannot be reached"):
        build(Path("nobody/nothing"), tmp_path / "out", revision="0" * 40)


def test_the_split_of_a_hub_data_set_is_the_one_of_the_recipe() -> None:
    pinned = {"source": "owner/rows", "revision": "a" * 40, "test_source": "owner/rows"}
    for chosen, split in (({}, "train"), ({"hub_split": "validation"}, "validation")):
        rows, test_rows = find_sources(DatasetSection.model_validate(pinned | chosen))
        assert isinstance(rows, HubRows)
        assert isinstance(test_rows, HubRows)
        assert (rows.split, test_rows.split) == (split, "test")
        assert rows.digests() == {"owner/rows": f"revision {'a' * 40}, split {split}"}, (
            "another split is another data set"
        )
