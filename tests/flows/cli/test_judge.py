"""`finetune judge`, run as a user runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "finetune_flows.flows.cli", "judge"]
EXAMPLE = Path("examples/judge/pairs.jsonl")
SCHEMA = "CREATE TABLE parcels (id INTEGER PRIMARY KEY, town TEXT, weight REAL)"
GOLD = "SELECT town FROM parcels WHERE weight > 10"


def judge(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"COLUMNS": "80"}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, env=environment)


def pairs(path: Path, *predictions: str) -> Path:
    rows = [{"schema": SCHEMA, "gold": GOLD, "prediction": prediction} for prediction in predictions]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def without_versions(text: str) -> str:
    """Of the engines, and without the spaces and lines by which they move the rest."""
    return re.sub(r"(SQLite|DuckDB|PostgreSQL|MariaDB) [\d.]+", r"\1", text).strip()


def has_mariadb() -> bool:
    return bool(os.environ.get("CI") or shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin"))


@pytest.mark.skipif(not has_mariadb(), reason="the page shows MariaDB's verdicts")
def test_the_page_shows_what_the_command_prints() -> None:
    page = Path("docs/judge.md").read_text(encoding="utf-8")
    table, first = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    result = judge(EXAMPLE)
    assert result.returncode == 0, result.stderr
    assert without_versions(result.stdout) == without_versions(table)
    assert without_versions(judge(EXAMPLE, "--json").stdout.splitlines()[0]) == without_versions(first)


def test_a_table_fits_into_eighty_columns(tmp_path: Path) -> None:
    result = judge(
        pairs(tmp_path / "pairs.jsonl", GOLD, "SELECT town FROM parcels", f"SELECT {'x' * 200} FROM parcels")
    )
    assert result.returncode == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stdout.replace("│", "").replace(" ", "").replace("\n", "").count("x" * 25)
    assert "execution      33.3 %" in result.stdout
    assert "valid SQL      66.7 %" in result.stdout
    assert "not evaluable  0 of 3" in result.stdout


def test_nothing_evaluable_is_no_score(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"schema": "two tables", "gold": GOLD, "prediction": GOLD}), encoding="utf-8")
    told = judge(file).stdout
    assert "execution      no pair could be judged" in told
    assert "not evaluable  1 of 1" in told


def test_unusable_files_and_options_end_with_2(tmp_path: Path) -> None:
    good = pairs(tmp_path / "good.jsonl", GOLD)
    empty = pairs(tmp_path / "empty.jsonl")
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{broken\n")
    for arguments, words in [
        ((tmp_path / "absent.jsonl",), "there is no such file"),
        ((empty,), "holds no rows"),
        ((broken,), "line 1: broken JSON"),
        ((good, "--dialect", "oracle"), "'oracle' is not one of"),
        ((good, "--databases", "0"), "--databases"),
    ]:
        result = judge(*arguments)
        assert result.returncode == 2, arguments
        assert words in result.stderr
        assert "Traceback" not in result.stderr


def test_objects_come_one_a_line_as_they_are_known_until_interrupted(tmp_path: Path) -> None:
    many = [f"SELECT town FROM parcels WHERE weight > {number}" for number in range(3_000)]
    file = pairs(tmp_path / "pairs.jsonl", *many)
    with subprocess.Popen(
        [*COMMAND, file, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background ignores SIGINT, and the command would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout
        assert process.stderr
        first = json.loads(process.stdout.readline())
        assert set(first) == {"verdict", "reason", "engine", "kind", "differences", "rows"}
        assert process.poll() is None, "the rest is still being judged"
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all processes of the command
        rest, told = process.stdout.read(), process.stderr.read()
        assert process.wait(30) == 130
    assert time.monotonic() - start < 20
    assert len(rest.splitlines()) < 2_999
    assert told.splitlines()[0] == "finetune: stopping (Ctrl-C again leaves at once)"
    assert "Traceback" not in told
