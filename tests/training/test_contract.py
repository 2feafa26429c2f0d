"""Folders and settings of a job."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_flows.training.contract import Folders, read_settings
from finetune_flows.training.problems import FAILURE_LIMIT, TrainingProblem, describe, write_failure
from finetune_flows.training.settings import TrainingSettings


def test_folders_follow_the_root() -> None:
    folders = Folders.of_job(Path("/somewhere"), {})
    assert folders.dataset == Path("/somewhere/input/data/dataset")
    assert folders.base == Path("/somewhere/input/data/model")
    assert folders.report == Path("/somewhere/model/training.json")


def test_the_toolkits_variables_override_folders() -> None:
    environment = {"SM_MODEL_DIR": "/m", "SM_CHANNEL_DATASET": "/d", "SM_CHANNEL_MODEL": "/b"}
    folders = Folders.of_job(Path("/somewhere"), environment)
    assert (folders.model, folders.dataset, folders.base) == (Path("/m"), Path("/d"), Path("/b"))
    assert folders.checkpoints == Path("/somewhere/checkpoints")


def write(folder: Path, content: object) -> Path:
    path = folder / "hyperparameters.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_settings_come_back_from_the_strings_they_travel_as(tmp_path: Path) -> None:
    settings = TrainingSettings(method="lora", epochs=0.5, learning_rate=3e-5, trust_remote_code=True)
    path = write(tmp_path, settings.to_hyperparameters() | {"sagemaker_program": "train.py"})
    assert read_settings(path, []) == settings


def test_overrides_come_last(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, {"epochs": "2"}), ["epochs=5", "method = full"]).epochs == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["not JSON"]),
        ({"epochs": 2}, ["strings"]),
        (["epochs"], ["flat object"]),
        ({"epoks": "2", "batch_size": "0"}, ["epoks", "batch_size"]),
    ],
)
def test_wrong_settings_are_named_all_at_once(tmp_path: Path, content: object, words: list[str]) -> None:
    with pytest.raises(TrainingProblem) as problem:
        read_settings(write(tmp_path, content), [])
    assert all(word in str(problem.value) for word in words)


def test_a_missing_file_and_a_crooked_override_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingProblem, match="missing"):
        read_settings(tmp_path / "hyperparameters.json", [])
    with pytest.raises(TrainingProblem, match="name=value"):
        read_settings(None, ["epochs"])


@given(st.text(max_size=4000))
def test_a_failure_never_exceeds_what_the_platform_shows(text: str) -> None:
    for error in (RuntimeError(text), TrainingProblem(text), RuntimeError("CUDA out of memory " + text)):
        assert len(describe(error)) <= FAILURE_LIMIT


def test_a_failure_says_first_what_to_do_and_then_where_it_happened() -> None:
    assert describe(RuntimeError("CUDA out of memory. Tried to allocate")).startswith("The GPU is out of memory. Lower")
    try:
        raise KeyError("lost")
    except KeyError as error:
        reason = describe(error)
    assert reason.startswith("KeyError: 'lost'")
    assert Path(__file__).name in reason


def test_the_first_of_several_processes_to_fail_gives_the_reason(tmp_path: Path) -> None:
    write_failure(tmp_path / "output", "the cause")
    write_failure(tmp_path / "output", "its consequence")
    assert (tmp_path / "output" / "failure").read_text() == "the cause"
