"""The command line, run as a user runs it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finetune_flows.tasks.artifacts.runs import end_run, start_run
from finetune_flows.tasks.base.files import write_json
from finetune_flows.tasks.platforms.contract import Alias, Labels
from finetune_flows.tasks.recipe import load_recipe


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def finetune(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "finetune_flows.flows.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "150"})


def write_rows(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def good(number: int) -> str:
    row = {
        "question": f"How many things of kind {number} are there?",
        "context": f"CREATE TABLE things_{number} (kind INTEGER, name TEXT)",
        "answer": f"SELECT COUNT(*) FROM things_{number} WHERE kind = {number}",
    }
    return json.dumps(row)


def test_bad_recipes_are_told_in_words_with_exit_code_2(home: Path) -> None:
    result = finetune("run", "recipes/demo.yaml", "--set", "training.epocs=1", "--set", "training.method=magic")
    assert result.returncode == 2
    assert "training.epocs: unknown; did you mean epochs?" in result.stderr
    assert "'magic' is not one of" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_endpoint_that_is_not_there_is_told_in_words(home: Path) -> None:
    result = finetune("endpoint", "call", "demo-1", "Hello")
    assert result.returncode == 1
    assert "no endpoint named demo-1 is running" in result.stderr
    assert "Traceback" not in result.stderr


def test_empty_lists_say_what_to_do_next(home: Path) -> None:
    for arguments in (["endpoint", "list"], ["runs"]):
        assert "Next: finetune init" in finetune(*arguments).stdout


def test_runs_are_listed_with_how_they_ended(home: Path) -> None:
    recipe = load_recipe(Path("recipes/demo.yaml"))
    end_run(start_run(recipe, "1234567890"), "promoted")
    start_run(recipe, "abcdef123456")
    records = json.loads(finetune("runs", "--json").stdout)
    assert sorted(record["result"] for record in records) == ["promoted", "running, or ended without a word"]
    assert "promoted" in finetune("runs").stdout


def test_data_check_keeps_the_good_rows_and_names_each_bad_one(home: Path, tmp_path: Path) -> None:
    rows = [json.loads(good(n)) for n in range(60)]
    bad = {
        "not JSON": "{broken",
        "no object": "[1, 2]",
        "missing": json.dumps({k: v for k, v in rows[0].items() if k != "answer"}),
        "not text": json.dumps(rows[1] | {"question": 7}),
        "blank": json.dumps(rows[2] | {"question": "  "}),
        "no table": json.dumps(rows[3] | {"context": "a table of things"}),
        "not SQL": json.dumps(rows[4] | {"answer": "SELECT FROM WHERE ((("}),
        "not a query": json.dumps(rows[5] | {"answer": "DROP TABLE things_5"}),
        "two statements": json.dumps(rows[6] | {"answer": "SELECT 1; SELECT 2"}),
        "other table": json.dumps(rows[7] | {"answer": "SELECT * FROM elsewhere"}),
        "control": json.dumps(rows[8] | {"question": "what\x00?"}),
    }
    file = write_rows(tmp_path / "rows.jsonl", *(good(n) for n in range(100, 160)), *bad.values())
    out = tmp_path / "out"

    strict = finetune("data", "check", str(file), "--output", str(out))
    assert strict.returncode == 2
    assert "Traceback" not in strict.stderr
    listed = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    assert [entry["line"] for entry in listed] == list(range(61, 61 + len(bad)))
    assert all(entry["file"].endswith("rows.jsonl") and entry["reasons"] for entry in listed)
    assert len({str(entry["reasons"]) for entry in listed}) == len(bad), "each kind is named as what it is"

    lenient = finetune(
        "data", "check", str(file), "--output", str(out), "--set", "dataset.max_quarantined=0.5", "--json"
    )
    assert lenient.returncode == 0, lenient.stderr
    audit = json.loads((out / "audit.json").read_text())
    assert json.loads(lenient.stdout) == audit
    assert audit["usable"] == 60


@pytest.mark.parametrize(
    ("modules", "arguments", "extra"),
    [
        (("boto3", "botocore"), ("plan", "recipes/demo.yaml", "--platform", "sagemaker"), "sagemaker"),
        (("boto3", "botocore"), ("setup", "aws", "--dry-run"), "sagemaker"),
        (("docker",), ("plan", "recipes/demo.yaml", "--platform", "docker"), "docker"),
    ],
)
def test_a_package_that_is_not_installed_is_one_line_with_its_extra(
    modules: tuple[str, ...], arguments: tuple[str, ...], extra: str, tmp_path: Path
) -> None:
    code = f"""
import sys
from datetime import UTC, datetime
for name in {modules!r}:
    sys.modules[name] = None
from finetune_flows.flows.cli import main
sys.argv = ["finetune", *{arguments!r}]
main()
"""
    environment = os.environ | {"FINETUNE_HOME": str(tmp_path / "home"), "COLUMNS": "80"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode in (1, 2)
    shown = result.stdout + result.stderr
    assert f"pip install 'finetune-flows[{extra}]'" in " ".join(shown.split())
    assert "Traceback" not in shown


def test_the_version_is_shown() -> None:
    assert finetune("--version").stdout.startswith("finetune-flows ")


def test_an_endpoint_whose_time_is_over_is_told_with_the_way_back(home: Path) -> None:
    labels = Labels(recipe="demo", step_key="k", flow_run="f", expires_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    alias = Alias(name="demo", url="http://127.0.0.1:1", endpoint="demo-1", target="http://127.0.0.1:2", labels=labels)
    (home / "aliases" / "demo").mkdir(parents=True)
    write_json(home / "aliases" / "demo" / "alias.json", alias.model_dump(mode="json"))
    told = "demo served until 2026-01-0"
    for name in ("demo", "demo-1"):
        result = finetune("endpoint", "call", name, "Hello")
        assert result.returncode == 1
        assert told in result.stderr
        assert "finetune run with the recipe of demo" in result.stderr
    assert told in finetune("endpoint", "list").stdout
