"""Files of rows that cannot be used: `finetune data check` says why in one message, and makes no data set of them."""

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_inputs.command import check_refusal, files_below, finetune
from tests.support.tiny_model import tiny_rows

ROWS = tiny_rows(60)
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
COLUMNS = ["question", "context", "answer"]
AS_SQL = [part for name in COLUMNS for part in (f"--{name}", name)]


def parquet(rows: list[dict[str, object]] | pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows), sink, **options)
    return sink.getvalue()


def csv(text: str) -> bytes:
    return text.encode()


def zipped(name: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, LINES)
    return sink.getvalue()


def tarred(name: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(LINES)
        archive.addfile(member, io.BytesIO(LINES))
    return sink.getvalue()


# The name of a file, what it holds, and what is said.
FILES: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    "an empty file": ("a.jsonl", b"", "holds no rows"),
    "blank lines": ("a.jsonl", b"\n \n\t\n", "holds no rows"),
    "a byte order mark": ("a.jsonl", b"\xef\xbb\xbf", "broken JSON"),
    "one row": ("a.jsonl", LINES.splitlines(keepends=True)[0], "rows"),
    "two rows": ("a.jsonl", b"".join(LINES.splitlines(keepends=True)[:2]), "rows"),
    "the same row sixty times": ("a.jsonl", LINES.splitlines(keepends=True)[0] * 60, "rows"),
    "lines that are no JSON": ("a.jsonl", b"SELECT 1\n" * 50, "broken JSON"),
    "an array on many lines": ("a.jsonl", json.dumps(ROWS, indent=1).encode(), "broken JSON"),
    "an array on one line": ("a.jsonl", json.dumps(ROWS).encode(), "not a JSON object"),
    "numbers": ("a.jsonl", b"1\n2\n3\n", "not a JSON object"),
    "null": ("a.jsonl", b"null\n", "not a JSON object"),
    "deep lines": ("a.jsonl", (b"[" * 100_000 + b"\n") * 3, "broken JSON"),
    "NUL bytes": ("a.jsonl", bytes(10_000), "broken JSON"),
    "random bytes": ("a.jsonl", bytes(range(128, 256)) * 100, "not UTF-8"),
    "UTF-16": ("a.jsonl", LINES.decode().encode("utf-16"), "not UTF-8"),
    "numbers of many digits": ("a.jsonl", b'{"question": ' + b"9" * 10_000 + b"}\n", "broken JSON"),
    "numbers that are none": ("a.jsonl", b'{"question": NaN, "context": Infinity, "answer": -1e999}\n', "not a string"),
    "fifty megabytes on a line": ("a.jsonl", lambda: b'{"question": "' + b"x" * 50_000_000 + b'"}\n', "line too long"),
    "other columns": ("a.jsonl", b'{"frage": "a", "antwort": "b"}\n' * 60, "missing column"),
    "lists for texts": ("a.jsonl", b'{"question": [], "context": {}, "answer": 1}\n' * 60, "not a string"),
    "a JSON file with nothing": ("a.json", b"", "not valid JSON"),
    "a JSON file with a word": ("a.json", b'"rows"', "expected an array of rows"),
    "a JSON file with an empty array": ("a.json", b"[]", "holds no rows"),
    "a JSON file with arrays": ("a.json", b"[[1], [2], null, 7]", "not a JSON object"),
    "a JSON file cut in the middle": ("a.json", json.dumps(ROWS).encode()[:-200], "not valid JSON"),
    "a deep JSON file": ("a.json", b"[" * 100_000, "not valid JSON"),
    "a CSV file with nothing": ("a.csv", b"", "the first line must be a header"),
    "a CSV file with a header only": ("a.csv", csv("question,context,answer\n"), "holds no rows"),
    "a CSV file with a column twice": ("a.csv", csv("question,question,answer\na,b,c\n"), "names each column once"),
    "a CSV file with an open quotation": ("a.csv", csv('question,context,answer\n"a,b,c\n'), "broken CSV"),
    "a CSV file with a cell too many": ("a.csv", csv("question,context,answer\na,b,c,d\n"), "wrong number of cells"),
    "a CSV file of zeros": ("a.csv", bytes(5_000), "a.csv"),
    "a CSV file in UTF-16": ("a.csv", "question,context,answer\na,b,c\n".encode("utf-16"), "a.csv"),
    "a CSV file with one long cell": ("a.csv", lambda: b"question,context,answer\n" + b"x" * 3_000_000, "a.csv"),
    "a Parquet file with nothing": ("a.parquet", b"", "a.parquet: "),
    "a Parquet file of words": ("a.parquet", b"PAR1 and more PAR1", "a.parquet: "),
    "a Parquet file cut in the middle": ("a.parquet", lambda: parquet(ROWS)[:-100], "a.parquet: "),
    "a Parquet file with bytes changed": (
        "a.parquet",
        lambda: (whole := parquet(ROWS, compression="zstd"))[:200] + bytes(400) + whole[600:],
        "a.parquet: ",
    ),
    "a Parquet file without rows": (
        "a.parquet",
        lambda: parquet(pa.table({"question": pa.array([], pa.string())})),
        "no rows",
    ),
    "a Parquet file of numbers": (
        "a.parquet",
        lambda: parquet([{"question": 1, "context": 2, "answer": 3}]),
        "not a string",
    ),
    "a gzip file cut in the middle": ("a.jsonl.gz", lambda: gzip.compress(LINES)[:-500], "a.jsonl.gz: "),
    "a gzip file that is none": ("a.jsonl.gz", LINES, "a.jsonl.gz: "),
    "a gzip file with nothing": ("a.jsonl.gz", b"", "a.jsonl.gz"),
    "a gzip file in a gzip file": ("a.jsonl.gz", lambda: gzip.compress(gzip.compress(LINES)), "not UTF-8"),
    "a gzip file with a broken sum": ("a.jsonl.gz", lambda: gzip.compress(LINES)[:-8] + bytes(8), "a.jsonl.gz: "),
    "a zstd file that is none": ("a.jsonl.zst", LINES, "a.jsonl.zst: "),
    "an archive": ("a.zip", lambda: zipped("rows.jsonl"), "unknown file format"),
    "an archive with parent paths": ("a.zip", lambda: zipped("../evil.jsonl"), "unknown file format"),
    "a tape archive with parent paths": ("a.tar.gz", lambda: tarred("../../evil.jsonl"), "unknown file format"),
    "an archive by another name": ("a.jsonl", lambda: zipped("../evil.jsonl"), "a.jsonl"),
    "a database": ("a.sqlite", b"SQLite format 3\x00", "unknown file format"),
    "names of half a character": ("a.jsonl", b'{"\\ud800": "a"}\n' * 60, "missing column"),
    "a pickle": ("a.pkl", b"\x80\x04N.", "unknown file format"),
    "a file without a name": (".jsonl", LINES, "unknown file format"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_which_no_data_set_is_made(name: str, home: Path, project: Path) -> None:
    file, content, words = FILES[name]
    (project / "data").mkdir()
    (project / "data" / file).write_bytes(content if isinstance(content, bytes) else content())
    said = finetune("data", "check", f"data/{file}", *AS_SQL, "--output", "out")
    check_refusal(said, 2, words)
    assert set(files_below(project / "out")) <= {"quarantine.jsonl", "audit.json"}
    assert not list(project.parent.rglob("evil*"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_which_no_problem_is_guessed(name: str, home: Path, project: Path) -> None:
    file, content, _ = FILES[name]
    (project / file).write_bytes(content if isinstance(content, bytes) else content())
    said = finetune("data", "check", file, "--output", "out")
    assert said.exit_code == 2
    assert "Traceback" not in said.err
    assert set(files_below(project / "out")) <= {"quarantine.jsonl", "audit.json"}


def test_what_lies_in_a_folder_and_cannot_be_read_is_said(home: Path, project: Path) -> None:
    """Not waited for (the pipe), and not left out in silence (the link)."""
    said = finetune("data", "check", str(project), *AS_SQL, "--output", str(project / "out"))
    check_refusal(said, 2, "pipe.jsonl: it is no file", "dangling.jsonl: it is a link to")
    said = finetune("data", "check", "*.jsonl", *AS_SQL, "--output", "out")
    check_refusal(said, 2, "pipe.jsonl: it is no file", "dangling.jsonl: it is a link to")


@pytest.mark.timeout(60)
def test_folders_that_lead_to_themselves_are_gone_through_once(home: Path, project: Path) -> None:
    for name in ("one", "two", "three"):
        (project / "folder.jsonl" / name).symlink_to(project / "folder.jsonl")
    check_refusal(finetune("data", "check", "folder.jsonl/**/*.csv", *AS_SQL), 2, "the pattern matches no")
    check_refusal(finetune("data", "check", "folder.jsonl", *AS_SQL), 2, "the folder holds no")


def test_a_row_that_is_asked_for_and_not_there(home: Path, project: Path) -> None:
    as_sql = ("--set", "problem.kind=text-to-sql")
    for row in ("0", "-1", "61", "x", "b.jsonl:1", "rows.jsonl:", "1e3", "9" * 5_000, "²", ""):
        check_refusal(finetune("data", "show", "rows.jsonl", row, *as_sql), 2)


def test_a_tokenizer_that_is_none(home: Path, project: Path) -> None:
    for folder in ("model", "nowhere", "rows.jsonl", "pipe.jsonl"):
        check_refusal(
            finetune("data", "show", "rows.jsonl", "1", "--set", "problem.kind=text-to-sql", "--tokenizer", folder),
            2,
            folder,
        )


def test_an_output_folder_that_cannot_be_made(home: Path, project: Path) -> None:
    for folder in ("rows.jsonl", "rows.jsonl/out", "x" * 300, "pipe.jsonl"):
        said = finetune("data", "check", "rows.jsonl", *AS_SQL, "--output", folder)
        assert said.exit_code in (1, 2)
        check_refusal(said, said.exit_code, folder[:40])


def test_halves_of_characters_are_shown_and_written_as_escapes(home: Path, project: Path) -> None:
    """In the name of a file, of a column that is used, and of one that is not."""
    lines = [json.dumps(row | {"\ud800 note": "x"}) for row in ROWS] + ['{"\\udfff": 1}']
    (project / "data").mkdir()
    Path(os.fsdecode(b"data/caf\xe9.jsonl")).write_text("\n".join(lines), encoding="utf-8")
    said = finetune("data", "check", "data", *AS_SQL, "--output", "out")
    assert said.exit_code == 0, said.err
    assert "\\ud800 note" in said.out
    assert r"caf\\udce9.jsonl" in (project / "out" / "quarantine.jsonl").read_text(encoding="utf-8")
