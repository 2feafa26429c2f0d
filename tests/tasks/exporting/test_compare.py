"""The original's answers and the export's are judged on the same rows."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.base.statistics import Comparison, Proportion
from finetune_flows.tasks.base.values import now
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.evaluation.exam import ModelExam
from finetune_flows.tasks.evaluation.files import write_evaluation
from finetune_flows.tasks.evaluation.gate import Decision
from finetune_flows.tasks.evaluation.registry import Entry, Registry
from finetune_flows.tasks.exporting.compare import TestRows
from finetune_flows.tasks.exporting.subject import find_subject
from finetune_flows.tasks.recipe import Recipe
from tests.tasks.evaluation import conftest
from tests.tasks.evaluation.conftest import RIGHT, Chat, serving

recipe = conftest.recipe
MODEL = Reference(kind="model", uri="/none", digest="abcdef123", size=1, step_key="m")


class AllRight(Chat):
    """Knows every right query."""

    def text_for(self, messages: Sequence[dict[str, str]]) -> str:
        return RIGHT[messages[1]["content"]]


def quietly(done: int, total: int) -> None:
    """No progress is shown."""


@pytest.fixture
def entry(recipe: Recipe) -> Entry:
    """A judged model that gets every question about `built` wrong."""
    store = Store()
    with store.write("dataset", "d" * 64) as draft:
        build_dataset(recipe.dataset, recipe.problem, None, draft.path)
    dataset = store.require("dataset", "d" * 64)
    exam = ModelExam(recipe, dataset, MODEL)
    with serving(Chat) as url, store.write("evaluation", "e" * 64) as draft:
        write_evaluation(draft.path, exam.score(exam.ask(Http(url), quietly), "tuned model"))
    score = Proportion.of(1, 2)
    return Entry(
        decided_at=now(),
        recipe=recipe.model_dump(mode="json"),
        dataset=dataset,
        model=MODEL,
        endpoint="files-abcdef12",
        base_evaluation=store.require("evaluation", "e" * 64),
        evaluation=store.require("evaluation", "e" * 64),
        decision=Decision(
            metric="execution",
            outcome="passed",
            conditions=[],
            base=score,
            tuned=score,
            comparison=Comparison.of([(False, True)]),
        ),
    )


def test_lost_and_won_rows_are_counted(entry: Entry, recipe: Recipe) -> None:
    rows = TestRows(entry, recipe, 40)
    wrong = sum("built" in row.fields["question"] for row in rows.prompts)
    assert 0 < wrong < len(rows.prompts)
    with serving(AllRight) as url:
        found = rows.compare(Http(url), "export", quietly)
    assert found.rows == len(rows.prompts)
    assert found.same_answers == found.rows - wrong
    assert found.original["execution"].successes == found.rows - wrong
    assert found.exported["execution"].successes == found.rows
    assert (found.comparisons["execution"].only_first, found.comparisons["execution"].only_second) == (0, wrong)


def test_fewer_rows_are_the_first_ones(entry: Entry, recipe: Recipe) -> None:
    with serving(Chat) as url:
        found = TestRows(entry, recipe, 3).compare(Http(url), "export", quietly)
    assert (found.rows, found.same_answers) == (3, 3)
    assert found.comparisons["execution"].n == 3


def test_no_answers_of_the_export_stay_behind(entry: Entry, recipe: Recipe, tmp_path: Path) -> None:
    kept = sorted((tmp_path / "home" / "predictions").iterdir())
    with serving(Chat) as url:
        TestRows(entry, recipe, 3).compare(Http(url), "export", quietly)
    assert sorted((tmp_path / "home" / "predictions").iterdir()) == kept


def test_a_judged_model_is_found_by_recipe_and_by_digest(entry: Entry, recipe: Recipe, tmp_path: Path) -> None:
    weights = tmp_path / "artefact" / "model"
    weights.mkdir(parents=True)
    (weights / "config.json").write_text("{}", encoding="utf-8")
    here = entry.model_copy(update={"model": MODEL.model_copy(update={"uri": str(weights.parent)})})
    Registry().record("files", here)
    for named in ("files", "abcdef1", str(weights), str(weights.parent)):
        found = find_subject(named)
        assert (found.name, found.weights, found.entry, found.recipe) == ("files", weights, here, recipe)
