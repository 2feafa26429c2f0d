"""A search with real trainings: killed in the middle, carried on, its winner trained again by a plain run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune_flows.flows.finetune import finetune
from finetune_flows.tasks.recipe import load_recipe
from finetune_flows.tasks.tuning.trials import Tuned
from tests.support.tiny_classifier import build_tiny_encoder, labelled_rows

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in labelled_rows(120)), encoding="utf-8")
    content: dict[str, Any] = {
        "name": "search",
        "problem": {"kind": "text-classification"},
        "dataset": {"source": str(source), "max_tokens": 64, "test_share": 0.2, "validation_share": 0.2},
        "model": {"source": str(build_tiny_encoder(tmp_path / "encoder"))},
        "training": {
            "method": "full", "max_steps": 24, "max_length": 64, "batch_size": 8, "validation_every": 6,
            "best_by": "accuracy", "keep": "best", "checkpoint_every": 4,
        },
        "gate": {"min_gain": -1},
        "tuning": {"trials": 5, "parallel": 2, "space": {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}}},
    }  # fmt: skip
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def command(recipe: Path) -> list[str]:
    return [sys.executable, "-m", "finetune_flows.flows.cli", "tune", str(recipe), "--json"]


def test_a_search_that_was_killed_goes_on_and_its_winner_keeps_its_promise(home: Path, recipe_file: Path) -> None:
    with subprocess.Popen(command(recipe_file), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        until = time.monotonic() + 200
        while len(list((home / "jobs").glob("search-*"))) < 3 and time.monotonic() < until and first.poll() is None:
            time.sleep(0.2)
        assert first.poll() is None, "it must still be searching"
        os.kill(first.pid, signal.SIGKILL)
    begun = {path.name for path in (home / "jobs").glob("search-*")}

    done = subprocess.run(command(recipe_file), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    tuned = Tuned.model_validate_json(done.stdout)
    assert [trial.number for trial in tuned.trials] == [0, 1, 2, 3, 4], "none was lost and none made twice"
    assert not [trial for trial in tuned.trials if trial.ending in ("failed", "unfinished")]
    jobs = {path.name for path in (home / "jobs").glob("search-*")}
    assert begun <= jobs
    assert len(jobs) == 5, "a job that ran on was attached to, not started again"
    assert not [path for path in (home / "jobs").glob("search-*") if (path / "opt-ml").exists()], "weights are not kept"
    assert tuned.best is not None
    assert tuned.best.value == max(trial.value or 0 for trial in tuned.trials if trial.ending == "completed")
    assert tuned.report is not None
    assert "<svg" in Path(tuned.report).read_text(encoding="utf-8")

    again = subprocess.run(command(recipe_file), capture_output=True, text=True, check=False)
    assert Tuned.model_validate_json(again.stdout).trials == tuned.trials, "a search that is done trains nothing"

    assert tuned.best_recipe is not None
    outcome = finetune(load_recipe(Path(tuned.best_recipe)))
    report = json.loads((outcome.model.path / "training.json").read_text(encoding="utf-8"))
    assert max(entry["accuracy"] for entry in report["validation_losses"]) == pytest.approx(tuned.best.value, abs=1e-4)


def test_trainings_that_all_fail_end_the_search_with_their_own_words(home: Path, recipe_file: Path) -> None:
    overrides = [
        "--set",
        "training.lora_targets=no_such_layer",
        "--set",
        "training.method=lora",
        "--set",
        "tuning.trials=3",
    ]
    done = subprocess.run([*command(recipe_file), *overrides], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "trainings of the search failed" in done.stderr
    assert "No modules were targeted" in done.stderr
