"""Command lines with names, numbers and files that are none: one message, the documented exit code, nothing made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_inputs.command import check_refusal, files_below, finetune

PAIRS = '{"schema": "CREATE TABLE t (a INTEGER)", "gold": "SELECT a FROM t", "prediction": "SELECT a FROM t"}\n'
LONG = "x" * 1_000

# The command, its exit code, and what is said.
LINES: dict[str, tuple[list[str], int, str]] = {
    "no such command": (["trian"], 2, "No such command"),
    "no recipe": (["run"], 2, "Missing argument"),
    "two recipes": (["run", "a.yaml", "b.yaml"], 2, "unexpected extra argument"),
    "no such option": (["run", "a.yaml", "--plattform", "docker"], 2, "No such option"),
    "no such platform": (["run", "a.yaml", "--platform", "cloud"], 2, "is not one of"),
    "a recipe that is not there": (["plan", "a.yaml"], 2, "there is no such file"),
    "a recipe to tune that is not there": (["tune", "a.yaml"], 2, "there is no such file"),
    "a recipe to train again that is not there": (["retrain", "a.yaml"], 2, "there is no such file"),
    "less than no new rows": (["retrain", "a.yaml", "--min-new-rows", "0"], 2, "Invalid value"),
    "a number that is a word": (["runs", "--last", "many"], 2, "Invalid value"),
    "a recipe to monitor that never ran": (["monitor", "nobody"], 1, "no recipe named nobody"),
    "a recipe to monitor with a path": (["monitor", "../../etc/passwd"], 1, "no recipe named"),
    "a recipe to monitor with a long name": (["monitor", LONG], 1, "no recipe named"),
    "an endpoint to call that is not there": (["endpoint", "call", "demo", "Hello"], 1, "no endpoint named demo"),
    "an endpoint to delete that is not there": (["endpoint", "delete", "demo"], 1, "no endpoint named demo"),
    "an endpoint to delete with a path": (["endpoint", "delete", "../../.."], 1, "is no name"),
    "an endpoint to delete without a name": (["endpoint", "delete", ""], 1, "is no name"),
    "a model to export that is not there": (["export", "nobody", "--to", "gguf"], 2, "neither a recipe"),
    "a format that nobody reads": (["export", "nobody", "--to", "docx"], 2, "Invalid value"),
    "less than no rows": (["export", "nobody", "--to", "gguf", "--rows", "-1"], 2, "Invalid value"),
    "a folder to export without a model": (["export", "folder.jsonl", "--to", "gguf"], 2, "no config.json"),
    "a folder to export with an empty config": (["export", "model", "--to", "gguf"], 1, ""),
    "a pipe to export": (["export", "pipe.jsonl", "--to", "gguf"], 2, "neither a recipe"),
    "a path to export that is too long": (["export", LONG, "--to", "gguf"], 2, "neither a recipe"),
    "a model to push that is not there": (["push", "nobody", "me/it", "--dry-run"], 2, "neither a recipe"),
    "a repository without an owner": (["push", "model", "it", "--dry-run"], 2, "names no organisation"),
    "a repository with a path": (["push", "model", "me/../it", "--dry-run"], 2, "cannot be the name"),
    "pairs that are not there": (["judge", "nowhere.jsonl"], 2, "there is no such file"),
    "pairs in a pipe": (["judge", "pipe.jsonl"], 2, "it is no file"),
    "pairs in a folder": (["judge", "model"], 2, "nothing was judged"),
    "pairs that are empty": (["judge", "empty.jsonl"], 2, "holds no rows"),
    "rows that are no pairs": (["judge", "rows.jsonl"], 2, "nothing was judged"),
    "pairs of an unknown dialect": (["judge", "pairs.jsonl", "--dialect", "cobol"], 2, "Invalid value"),
    "no databases": (["judge", "pairs.jsonl", "--databases", "0"], 2, "Invalid value"),
    "a problem that is none": (["init", "new", "--problem", "magic"], 2, "magic"),
    "a name that is none": (["init", "new", "--name", "../x"], 2, "name"),
    "a project in a file": (["init", "rows.jsonl"], 1, "rows.jsonl"),
    "a project in a pipe": (["init", "pipe.jsonl"], 1, "pipe.jsonl"),
    "a project with a long path": (["init", LONG], 1, "too long"),
    "a shipped recipe that is none": (["recipes", "nobody"], 2, "nobody"),
    "a shipped recipe with a path": (["recipes", "../../etc/passwd"], 2, "passwd"),
    "a shipped recipe into a file": (["recipes", "demo", "--to", "rows.jsonl"], 1, "rows.jsonl"),
    "rows that are not there": (["data", "check", "nowhere.jsonl"], 2, "there is no such file"),
    "rows of a hub without a revision": (["data", "check", "owner/rows"], 2, "set dataset.revision"),
    "rows in a bucket without a name": (["data", "check", "s3://"], 2, "s3://"),
    "a problem of the rows that is none": (["data", "check", "rows.jsonl", "--set", "problem.kind=magic"], 2, "magic"),
    "a column that is not there": (["data", "check", "rows.jsonl", "--question", "q"], 2, "missing column"),
    "a dialect that is none": (["data", "check", "rows.jsonl", "--dialect", "cobol"], 2, "cobol"),
    "an override without a value": (["data", "check", "rows.jsonl", "--set", "dataset.seed"], 2, "write it as"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_command_line_that_cannot_be_run(name: str, home: Path, project: Path) -> None:
    (project / "pairs.jsonl").write_text(PAIRS, encoding="utf-8")
    (project / "empty.jsonl").touch()
    before = files_below(project)
    arguments, code, words = LINES[name]
    check_refusal(finetune(*arguments), code, words)
    made = {path for path in set(files_below(project)) - set(before) if not path.startswith("data-check/")}
    assert made == set()


def test_a_history_that_is_empty_is_said(home: Path) -> None:
    for name in ("nobody", "../../etc", LONG, ""):
        said = finetune("history", name)
        assert said.exit_code in (0, 1)
        assert "Traceback" not in said.err
        assert len(said.out) < 3_000


def test_a_refusal_is_the_same_from_a_shell(project: Path, home: Path) -> None:
    """Several that the table above has too, as processes of their own, with a terminal that knows only ASCII."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    (project / "umlaut.yaml").write_text("name: Größe\nunbekannt: 1\n", encoding="utf-8")
    for arguments, code in ((["plan", "umlaut.yaml"], 2), (["judge", "rows.jsonl"], 2), (["monitor", "nobody"], 1)):
        command = [sys.executable, "-m", "finetune_flows.flows.cli", *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
        assert ended.returncode == code, ended.stderr
        assert b"Traceback" not in ended.stderr
        assert ended.stderr.count(b"finetune: ") == 1
