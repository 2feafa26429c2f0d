"""Files as people have them: other delimiters, compressed, behind patterns and addresses, written by other libraries."""

import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.base.errors import DatasetError, EnvironmentProblem, TryLater
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.dataset.hub import HubRows
from finetune_flows.tasks.dataset.source import find_source
from finetune_flows.tasks.problems.text_classification.problem import TextClassification
from finetune_flows.tasks.recipe import Chat, DatasetSection
from tests.support.hub_files import COMMIT, DATASET, hub_with
from tests.tasks.dataset.dataset_rows import build, quarantined, read_all, sound_rows, write_jsonl


def rows_of(source: object, split: str = "train") -> list[dict[str, Any] | None]:
    return [None if row.values is None else dict(row.values) for row in find_source(str(source), "main", split).rows()]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "text;label\nA fine film, all in all;good\n'Dull';bad\n"),
        ("rows.csv", "text\tlabel\n\"A fine film, all in all\"\tgood\n'Dull'\tbad\n"),
        ("rows.csv", "text|label\nA fine film, all in all|good\n'Dull'|bad\n"),
        ("rows.csv", "text,label\n\"A fine film, all in all\",good\n'Dull',bad\n"),
        ("rows.csv", "text,label,,\n\"A fine film, all in all\",good,,\n'Dull',bad\n"),
        ("rows.tsv", "text\tlabel\nA fine film, all in all\tgood\n'Dull'\tbad\n"),
    ],
)
def test_the_delimiter_of_a_csv_file_is_found(tmp_path: Path, name: str, text: str) -> None:
    expected = [{"text": "A fine film, all in all", "label": "good"}, {"text": "'Dull'", "label": "bad"}]
    assert rows_of(written(tmp_path / name, text)) == expected


def test_names_of_columns_have_no_spaces_around_them(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path / "rows.csv", "text , label\na,b\n")) == [{"text": "a", "label": "b"}]


def test_a_csv_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for content in ("text,label\na,b\n".encode("utf-16"), gzip.compress(b"text,label\na,b\n")):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="not text in UTF-8"):
            rows_of(path)


def test_a_cell_below_no_name_is_not_dropped(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.csv", "text,label,\na,b,c\na,b,\n")
    assert rows_of(path) == [None, {"text": "a", "label": "b"}]


def test_a_header_with_one_column_or_semicolons_inside_texts_is_read_with_commas(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path / "a.csv", "text\na;b\n")) == [{"text": "a;b"}]
    assert rows_of(written(tmp_path / "b.csv", "text,label\na;b;c,1\nd;e;f,2\n"))[0] == {"text": "a;b;c", "label": "1"}


def compress(content: bytes, kind: str) -> bytes:
    # Two members, as tools that append to a compressed file write them.
    half = content.index(b"\n", len(content) // 2) + 1
    parts = content[:half], content[half:]
    if kind == "gz":
        return b"".join(map(gzip.compress, parts))
    return b"".join(pa.compress(part, codec="zstd", asbytes=True) for part in parts)


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_compressed_files_give_the_same_rows(tmp_path: Path, name: str, kind: str) -> None:
    rows = [{"text": f"Text {n}", "label": "a"} for n in range(50)]
    text = {
        "rows.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "rows.json": json.dumps(rows, indent=1),
        "rows.csv": "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows),
    }[name]
    path = tmp_path / f"{name}.{kind}"
    path.write_bytes(compress(text.encode(), kind))
    assert rows_of(path) == rows
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match="rows"):
        rows_of(path)


def test_a_pattern_takes_up_the_files_that_match(tmp_path: Path) -> None:
    rows = sound_rows()
    write_jsonl(tmp_path / "a" / "rows-1.jsonl", rows[:50])
    write_jsonl(tmp_path / "b" / "rows-2.jsonl", rows[50:])
    write_jsonl(tmp_path / "b" / "other.jsonl", rows[:1])
    audit = build(tmp_path / "**" / "rows-*.jsonl", tmp_path / "out")
    assert (list(audit.sources), audit.usable) == (["a/rows-1.jsonl", "b/rows-2.jsonl"], 100)
    with pytest.raises(DatasetError, match="the pattern matches no"):
        rows_of(tmp_path / "*.parquet")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_rows_are_read_from_a_web_server(tmp_path: Path) -> None:
    rows = sound_rows()
    path = write_jsonl(tmp_path / "web" / "rows.jsonl", rows)
    (tmp_path / "web" / "rows.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    expected = build(path, tmp_path / "expected")
    with served(tmp_path / "web") as url:
        source = find_source(f"{url}/rows.jsonl?version=3", None, "train")
        assert [row.values for row in source.rows()] == rows
        assert source.digests() == expected.sources
        assert rows_of(f"{url}/rows.jsonl.gz") == rows
        with pytest.raises(DatasetError, match="no such file"):
            find_source(f"{url}/none.jsonl", None, "train")
    with pytest.raises((TryLater, DatasetError)):
        find_source(f"{url}/rows.jsonl", None, "train")


def test_rows_are_read_from_any_file_system_of_fsspec() -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for number in (1, 2):
        system.pipe(f"/bucket/part-{number}.jsonl", json.dumps({"text": f"Text {number}"}).encode())
    system.pipe("/bucket/README.md", b"not rows")
    expected = [{"text": "Text 1"}, {"text": "Text 2"}]
    assert rows_of("memory://bucket") == rows_of("memory://bucket/part-*.jsonl") == expected
    assert list(find_source("memory://bucket", None, "train").digests()) == ["part-1.jsonl", "part-2.jsonl"]


def test_an_address_that_cannot_be_opened_says_what_to_do() -> None:
    with pytest.raises(EnvironmentProblem, match="pip install adlfs"):
        find_source("abfs://container/rows.jsonl", None, "train")
    for address in ("ann:secret@example.org/rows.jsonl", "example.org/rows.jsonl?a=1&X-Amz-Signature=secret"):
        with pytest.raises(DatasetError, match="no password"):
            find_source(f"https://{address}", None, "train")
    with pytest.raises(DatasetError, match="unknown file format"):
        find_source("https://example.org/rows.xlsx", None, "train")


def test_rows_are_read_from_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        settings = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                    "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="rows")
        client.put_object(Bucket="rows", Key="data/a.jsonl", Body=b'{"text": "A"}\n')
        source = find_source("s3://rows/data/*.jsonl", None, "train")
        assert [row.values for row in source.rows()] == [{"text": "A"}]
        [identity] = source.digests().values()
        assert identity.endswith("14 bytes")
    finally:
        server.stop()


def test_the_same_file_gives_the_same_rows_by_hub_id_and_from_a_disk(tmp_path: Path) -> None:
    """load_dataset reads 007 as 7, None and NA as null, and 2024-01-31 as a date."""
    text = "text,label\nA,007\nB,None\nC,NA\nD,2024-01-31\nE,1.0\n"
    (tmp_path / "data").mkdir()
    path = written(tmp_path / "data" / "train.csv", text)
    by_hub = [row.values for row in HubRows(str(tmp_path), "main", "train", label="").rows()]
    assert by_hub == rows_of(path)
    assert [row["label"] for row in by_hub if row] == ["007", "None", "NA", "2024-01-31", "1.0"]


def test_numbers_dates_and_nulls_of_parquet_are_those_of_other_formats(tmp_path: Path) -> None:
    table = pa.table({
        "whole": pa.array([Decimal("3.00")], pa.decimal128(5, 2)),
        "part": pa.array([Decimal("3.25")], pa.decimal128(5, 2)),
        "day": pa.array([date(2024, 1, 31)]),
        "messages": [[{"role": "user", "content": "a", "tool_calls": None}]],
        "empty": pa.array([None], pa.string()),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "rows.parquet")
    [row] = rows_of(tmp_path / "rows.parquet")
    assert row == {
        "whole": 3, "part": 3.25, "day": date(2024, 1, 31), "messages": [{"role": "user", "content": "a"}], "empty": None,
    }  # fmt: skip


def saved(folder: Path, **columns: Any) -> Any:
    from datasets import ClassLabel, Dataset, Features, List, Value

    names = ClassLabel(names=["negative", "positive"])
    kinds = {"text": Value("string"), "label": names, "labels": List(names)}
    return Dataset.from_dict(columns, features=Features({name: kinds[name] for name in columns}))


def test_names_of_classes_are_the_labels(tmp_path: Path) -> None:
    columns = {"text": ["a", "b", "c"], "label": [1, 0, -1], "labels": [[0, 1], [], [1]]}
    rows = saved(tmp_path, **columns)
    rows.save_to_disk(tmp_path / "saved")
    rows.to_parquet(tmp_path / "rows.parquet")
    expected = [
        {"text": "a", "label": "positive", "labels": ["negative", "positive"]},
        {"text": "b", "label": "negative", "labels": []},
        {"text": "c", "label": None, "labels": ["positive"]},
    ]
    assert rows_of(tmp_path / "saved") == rows_of(tmp_path / "rows.parquet") == expected
    assert list(find_source(str(tmp_path / "saved"), None, "train").digests()) == [
        "data-00000-of-00001.arrow", "dataset_info.json",
    ]  # fmt: skip


def test_a_saved_data_set_has_splits(tmp_path: Path) -> None:
    from datasets import DatasetDict

    parts = {name: saved(tmp_path, text=[f"{name} {n}" for n in range(40)], label=[n % 2 for n in range(40)])
             for name in ("train", "test")}  # fmt: skip
    DatasetDict(parts).save_to_disk(tmp_path / "saved")
    section = DatasetSection(source=str(tmp_path / "saved"), test_source=str(tmp_path / "saved"))
    audit = build_dataset(section, TextClassification(), None, tmp_path / "out")
    assert (audit.rows, audit.splits["test"], audit.quarantined) == (80, 40, 0)
    with pytest.raises(DatasetError, match="has no split dev, but test, train"):
        rows_of(tmp_path / "saved", "dev")


def mixed(folder: Path, **section: Any) -> dict[str, int]:
    """How many rows of each source are used."""
    for name, count in (("a", 100), ("b", 60), ("c", 30)):
        write_jsonl(folder / f"{name}.jsonl", [{"prompt": f"{name} {n}?", "completion": name} for n in range(count)])
    build_dataset(DatasetSection(source=str(folder / "a.jsonl"), **section), Chat(), None, folder / "out")
    used = [each["fields"]["answer"] for split in read_all(folder / "out").values() for each in split]
    return {name: used.count(name) for name in ("a", "b", "c")}


def test_sources_are_mixed_by_weight(tmp_path: Path) -> None:
    b, c = str(tmp_path / "b.jsonl"), str(tmp_path / "c.jsonl")
    assert mixed(tmp_path, mix_with=[{"source": b}, {"source": c}]) == {"a": 100, "b": 60, "c": 30}
    assert mixed(tmp_path, mix_with=[{"source": b, "weight": 0.5}, {"source": c}]) == {"a": 100, "b": 50, "c": 30}
    # Of c there are too few for 100 rows of a, so fewer rows of all are used.
    assert mixed(tmp_path, mix_with=[{"source": b, "weight": 1}, {"source": c, "weight": 0.6}]) == {
        "a": 50,
        "b": 50,
        "c": 30,
    }
    assert sum(mixed(tmp_path, mix_with=[{"source": b}], max_rows=20).values()) == 20
    write_jsonl(tmp_path / "b.jsonl", [])
    assert quarantined(tmp_path / "out") == []


def test_mixed_sources_are_named_in_the_audit(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", sound_rows())
    write_jsonl(tmp_path / "b.jsonl", sound_rows(5))
    audit = build(tmp_path / "a.jsonl", tmp_path / "out", mix_with=[{"source": str(tmp_path / "b.jsonl")}])
    assert list(audit.sources) == ["a.jsonl", "mix_with[0]:b.jsonl"]
    assert (audit.rows, audit.usable, audit.exact_duplicates) == (125, 100, 25)


READ = """
import json, sys
from finetune_flows.tasks.dataset.source import find_source
sources = [find_source(source, None, "train") for source in sys.argv[1:]]
print(json.dumps([[[dict(row.values) for row in source.rows()], [*source.digests()]] for source in sources]))
"""


def test_files_of_the_hub_are_read_by_their_address() -> None:
    files = {"rows/a.jsonl": b'{"text": "a", "label": "x"}\n', "rows/b.csv": b"text,label\nb,007\n", "README.md": b"#"}
    with hub_with(files) as address:
        # In a process of its own: the library of the hub reads this variable when it is imported.
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
        sources = [f"hf://datasets/{DATASET}/rows", f"hf://datasets/{DATASET}@{COMMIT}/rows/b.csv"]
        command = [sys.executable, "-c", READ, *sources]
        found = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    first, second = {"text": "a", "label": "x"}, {"text": "b", "label": "007"}
    assert found == [[[first, second], ["a.jsonl", "b.csv"]], [[second], ["b.csv"]]]
