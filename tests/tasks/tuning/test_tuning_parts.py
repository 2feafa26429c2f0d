"""What a search is made of: the space in a recipe, the readings of a job's lines, the hours, the memory in a file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.recipe import Recipe, SearchRange, TrainingSettings, TuningSection, parse_recipe
from finetune_flows.tasks.tune import budget_of
from finetune_flows.tasks.tuning.budget import Budget
from finetune_flows.tasks.tuning.readings import Reading, Readings
from finetune_flows.tasks.tuning.study import Study

CONTENT = {
    "name": "t",
    "problem": {"kind": "text-classification"},
    "dataset": {"source": "rows.jsonl"},
    "model": {"source": "m"},
}


def recipe(space: dict[str, object]) -> Recipe:
    return parse_recipe(CONTENT | {"tuning": {"space": space}}, "t")


def test_every_problem_of_the_space_is_told_at_once() -> None:
    wrong = {
        "learning_rate": {"low": 1e-4, "high": 2},
        "learning_rat": {"choices": [1]},
        "batch_size": {"choices": [0, 8]},
        "schedule": {"choices": ["linear", "steps"]},
        "seed": {"low": 1, "high": 2},
    }
    with pytest.raises(RecipeError) as caught:
        recipe(wrong)
    told = str(caught.value)
    for part in (
        "learning_rate: 2.0 is refused",
        "learning_rat: cannot be searched",
        "batch_size: 0 is",
        "'steps' is",
        "seed: cannot be searched",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("axis", "problem"),
    [
        ({}, "needs low and high, or choices"),
        ({"low": 1.0}, "needs low and high"),
        ({"low": 3, "high": 2}, "must be below"),
        ({"low": 0, "high": 2, "log": True}, "log needs low above 0"),
        ({"choices": [1], "low": 1}, "has choices"),
    ],
)
def test_an_axis_is_a_range_or_a_list(axis: dict[str, object], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        recipe({"epochs": axis})


def test_without_a_space_the_learning_rate_is_searched() -> None:
    axes = TuningSection().axes(TrainingSettings(learning_rate=4e-4))
    assert axes == {"learning_rate": SearchRange(low=5e-5, high=3.2e-3, log=True)}


def test_readings_are_validations_that_were_not_read_before() -> None:
    lines = [
        "step=2 steps=8 loss=1.5 learning_rate=0.1",
        "step=4 validation_loss=0.9 validation_accuracy=0.5",
        "step=4 validation_loss=0.9 validation_accuracy=0.5",
        "chosen dtype=float32",
        "step=8 validation_loss=1.1 validation_accuracy=0.75",
    ]
    losses, accuracies = Readings("loss", {}), Readings("accuracy", {50: 0.5})
    assert [losses.read(line) for line in lines] == [None, Reading(50, 0.9), None, None, Reading(100, 1.1)]
    assert [accuracies.read(line) for line in lines] == [None, None, None, None, Reading(100, 0.75)]
    assert (losses.final(best=True), losses.final(best=False)) == (0.9, 1.1)
    assert (accuracies.final(best=True), Readings("loss", {}).final(best=True)) == (0.75, None)


@given(
    hours=st.floats(0.5, 100),
    longest=st.floats(0.1, 30),
    places=st.integers(1, 6),
    uses=st.lists(st.floats(0, 1), max_size=40),
)
def test_the_limits_of_all_jobs_together_never_pass_the_budget(
    hours: float, longest: float, places: int, uses: list[float]
) -> None:
    budget, spent, running = Budget(hours, longest), 0.0, list[float]()
    for use in uses:
        while len(running) < places and (share := budget.share(spent, sum(running), places - len(running))):
            running.append(share)
            assert share <= longest
            assert spent + sum(running) <= hours * (1 + 1e-9)
        if running:
            spent += use * running.pop(0)


def test_a_study_that_died_gives_its_unfinished_trials_back(tmp_path: Path) -> None:
    section = TuningSection(trials=3, space={"learning_rate": SearchRange(low=1e-5, high=1e-2, log=True)})
    first = Study(tmp_path, section, section.space, maximise=True, seed=1)
    one, two = first.ask(), first.ask()
    assert one is not None
    assert two is not None
    one.report(0.5, 50)
    first.study.tell(two, 0.25)

    later = Study(tmp_path, section, section.space, maximise=True, seed=1)
    (again,) = later.unfinished()
    assert (again.number, again.params) == (one.number, one.params)
    later.study.tell(again, 0.75)
    assert (later.known(one.params), later.known(two.params), later.known({})) == (0.75, 0.25, None)
    assert later.ask() is not None
    assert later.ask() is None, "three were wanted"
    best = later.best()
    assert best is not None
    assert best.value == 0.75


def test_the_hours_of_a_search_are_those_of_the_recipe() -> None:
    content = CONTENT | {"platform": {"kind": "process", "max_runtime_hours": 3}}
    assert budget_of(parse_recipe(content, "t")) == Budget(None, 3)
    assert budget_of(parse_recipe(content, "t", ["tuning.max_hours=5"])) == Budget(5, 3)


@pytest.mark.parametrize("early", [True, False])
def test_a_bad_trial_is_stopped_early_where_the_recipe_permits_it(tmp_path: Path, early: bool) -> None:
    axes = {"learning_rate": SearchRange(low=1e-5, high=1e-2, log=True)}
    study = Study(tmp_path, TuningSection(trials=6, space=axes, stop_early=early), axes, maximise=True, seed=1)
    stopped = []
    for value in (0.9, 0.8, 0.1):
        trial = study.ask()
        assert trial is not None
        trial.report(value, 25)
        stopped.append(trial.should_prune())
    assert stopped == [False, early, early]
