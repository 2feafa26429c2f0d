"""The training step with programs of a second: whatever happens after the job, its model is used and not made again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_flows.tasks.artifacts.references import Kind, Reference
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.attempts import attempt_name
from finetune_flows.tasks.recipe import Recipe, parse_recipe
from finetune_flows.tasks.train import train_model, training_job, training_key
from tests.support.quick_work import quick_python
from tests.support.session_server import session_server


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    with session_server():
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def recipe(home: Path, tmp_path: Path) -> Recipe:
    content = {
        "name": "r",
        "problem": {"kind": "text-to-sql"},
        "dataset": {"source": "rows.jsonl"},
        "model": {"source": "none"},
        "platform": {"kind": "process", "python": str(quick_python(tmp_path))},
    }
    return parse_recipe(content, "r")


def stored(kind: Kind) -> Reference:
    with Store().write(kind, kind * 8) as draft:
        (draft.path / "rows.txt").write_text(kind)
    return Store().require(kind, kind * 8)


def test_a_model_that_could_not_be_stored_is_stored_by_the_next_run_and_not_trained_again(
    home: Path, recipe: Recipe
) -> None:
    base, dataset = stored("base-model"), stored("dataset")
    drafts = home / "artifacts" / "drafts"
    drafts.rmdir()
    drafts.write_text("a file where the drafts should be")
    with pytest.raises(FileExistsError):
        train_model.fn(recipe, base, dataset)
    drafts.unlink()
    model = train_model.fn(recipe, base, dataset)
    assert (model.path / "training.json").exists()
    assert [job.name[-2:] for job in (home / "jobs").iterdir()] == ["-1"]


def test_a_model_that_is_gone_from_the_store_is_trained_again(home: Path, recipe: Recipe) -> None:
    base, dataset = stored("base-model"), stored("dataset")
    first = train_model.fn(recipe, base, dataset)
    (first.path / "training.json").unlink()
    again = train_model.fn(recipe, base, dataset)
    assert again.step_key == first.step_key
    assert (again.path / "training.json").exists()
    assert sorted(job.name[-2:] for job in (home / "jobs").iterdir()) == ["-1", "-2"]


def test_failed_attempts_leave_no_folders_once_the_model_is_stored(home: Path, recipe: Recipe) -> None:
    base, dataset = stored("base-model"), stored("dataset")
    job = training_job(recipe, base, dataset, training_key(recipe, base, dataset))
    first = {"name": attempt_name(job.name, 1), "hyperparameters": {"fail": "on purpose"}}
    platform = platform_of(recipe.platform)
    platform.start_job(job.model_copy(update=first))
    assert platform.follow_job(attempt_name(job.name, 1), print).status == "failed"
    train_model.fn(recipe, base, dataset)
    assert len(list((home / "jobs").iterdir())) == 2, "their logs are kept"
    assert not list((home / "jobs").glob("*/opt-ml"))
    assert not list((home / "checkpoints").iterdir())
