"""A problem is added by its folder and its name in the union of all problems, and goes through the whole flow."""

import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.evaluation.files import read_scores
from tests import ROOT

TOPS = ("flows", "training", "containers")
WORDS = ("rain", "wind", "snow", "sun", "fog", "hail", "frost", "storm")


@pytest.fixture
def with_shouting(tmp_path: Path) -> Path:
    """The product as it is, in a folder of its own, with one problem more."""
    package = tmp_path / "src" / "finetune_flows"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "src" / "finetune_flows" / "__init__.py", package)
    for top in TOPS:
        (package / top).symlink_to(ROOT / top)
    shutil.copytree(ROOT / "tasks", package / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    problems = package / "tasks" / "problems"
    shutil.copytree(ROOT / "tests" / "support" / "shouting", problems / "shouting")
    union = problems / "__init__.py"
    before = union.read_text(encoding="utf-8")
    after = before.replace("| Chat", "| Chat | Shouting").replace(
        "\nAnyProblem", "from finetune_flows.tasks.problems.shouting.problem import Shouting\n\nAnyProblem"
    )
    union.write_text(after, encoding="utf-8")
    changes = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line.startswith("+ ")]
    assert len(changes) == 2, "the class is imported and named, once"
    return tmp_path / "src"


@pytest.fixture
def recipe_file(tmp_path: Path, content: dict[str, Any]) -> Path:
    rows = [{"text": f"{first} and {second}"} for first in WORDS for second in WORDS]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    content |= {
        "problem": {"kind": "shouting"},
        "dataset": {"source": str(tmp_path / "texts.jsonl"), "max_tokens": 400},
        "gate": {"min_gain": -1, "scores": {"loudness": {"min_gain": -1}}},
    }
    path = tmp_path / "shouting.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def run(source: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "finetune_flows.flows.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_problem_of_ones_own_goes_through_the_whole_flow(home: Path, with_shouting: Path, recipe_file: Path) -> None:
    outcome = json.loads(run(with_shouting, "run", recipe_file, "--json"))
    assert (outcome["metric"], outcome["decision"], outcome["promoted"]) == ("loud", "passed", True)
    assert any(reason.startswith("passed: loudness ") for reason in outcome["reasons"])
    scores = read_scores(Reference.model_validate(outcome["evaluation"]))
    assert (scores.n, scores.details) == (6, {"ears": 2})
    assert set(scores.kinds) <= {"right", "too quiet"}
    assert scores.estimates["loudness"].n == 6
    card = (Path(outcome["report"]).parent / "model_card.md").read_text(encoding="utf-8")
    assert "It is given a text and shouts it." in card
    assert "It knows no whisper." in card
    assert run(with_shouting, "endpoint", "call", outcome["recipe"], "good morning", "--max-tokens", 4)
