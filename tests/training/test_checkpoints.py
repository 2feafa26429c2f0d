"""A checkpoint is complete or not there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from finetune_flows.training import checkpoints
from finetune_flows.training.problems import TrainingProblem

IDENTITY = {"settings": {"epochs": 1}, "rows": "abc"}


def save(folder: Path, step: int, kind: str = checkpoints.STATE) -> Path:
    target = folder / f"{kind}-{step}"
    with checkpoints.written_whole(target, IDENTITY) as temporary:
        (temporary / "weights").write_text(str(step))
        (temporary / "optimizer").mkdir()
        (temporary / "optimizer" / "state").write_text(f"of step {step}")
    return target


def die_while_saving(folder: Path) -> None:
    with checkpoints.written_whole(folder, IDENTITY) as temporary:
        (temporary / "weights").write_text("half")
        raise KeyboardInterrupt


def test_the_latest_is_the_highest_step_of_its_kind(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path) is None
    for step in (9, 100, 20):
        save(tmp_path, step)
    save(tmp_path, 500, checkpoints.BEST)
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoint-100"
    assert checkpoints.latest(tmp_path, checkpoints.BEST) == tmp_path / "best-500"


def test_what_a_dying_process_leaves_is_not_a_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 10)
    with pytest.raises(KeyboardInterrupt):
        die_while_saving(tmp_path / "checkpoint-20")
    assert not (tmp_path / "checkpoint-20").exists()
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoint-10"


FILES = ["weights", "optimizer/state", checkpoints.CONTENTS]
HARM: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "of another writing": lambda file: file.write_bytes(b"x" * file.stat().st_size),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("harm", HARM)
def test_a_checkpoint_that_came_back_torn_is_passed_over(tmp_path: Path, file: str, harm: str) -> None:
    save(tmp_path, 10)
    HARM[harm](save(tmp_path, 20) / file)
    assert checkpoints.resume_point(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-20").exists(), "it would count as one of those that are kept"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("harm", HARM)
def test_a_checkpoint_whose_best_weights_came_back_torn_is_passed_over(tmp_path: Path, file: str, harm: str) -> None:
    save(tmp_path, 10, checkpoints.BEST)
    save(tmp_path, 10)
    torn = save(tmp_path, 20, checkpoints.BEST)
    save(tmp_path, 20)
    HARM[harm](torn / file)
    assert checkpoints.resume_point(tmp_path) == tmp_path / "checkpoint-10"
    assert checkpoints.latest(tmp_path, checkpoints.BEST) == tmp_path / "best-10"


def test_best_weights_of_steps_that_are_trained_again_are_forgotten(tmp_path: Path) -> None:
    save(tmp_path, 10)
    save(tmp_path, 20, checkpoints.BEST)
    assert checkpoints.resume_point(tmp_path) == tmp_path / "checkpoint-10"
    assert checkpoints.latest(tmp_path, checkpoints.BEST) is None


def test_with_nothing_whole_training_starts_anew(tmp_path: Path) -> None:
    (save(tmp_path, 10) / "weights").unlink()
    assert checkpoints.resume_point(tmp_path) is None
    assert list(tmp_path.glob("checkpoint-*")) == []


def test_leftovers_do_not_end_up_in_a_checkpoint(tmp_path: Path) -> None:
    leftover = tmp_path / checkpoints.WRITING / "checkpoint-10"
    leftover.mkdir(parents=True)
    (leftover / "old").write_text("from a process that was killed")
    assert not (save(tmp_path, 10) / "old").exists()


def test_old_ones_go_and_the_newest_stay(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save(tmp_path, step)
    save(tmp_path, 10, checkpoints.BEST)
    checkpoints.drop_old(tmp_path, checkpoints.STATE, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-10", "checkpoint-20", "checkpoint-30"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    checkpoint = save(tmp_path, 10)
    checkpoints.check_same_run(checkpoint, IDENTITY)
    with pytest.raises(TrainingProblem, match="rows differ"):
        checkpoints.check_same_run(checkpoint, IDENTITY | {"rows": "other"})
