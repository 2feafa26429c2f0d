"""The exam of a model: what its keys depend on, and which answers are kept."""

from typing import Any

import pytest

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.evaluation.exam import ModelExam
from finetune_flows.tasks.recipe import Recipe, parse_recipe

MODEL = Reference(kind="model", uri="model", digest="a" * 64, size=1, step_key="k")


def changed(recipe: Recipe, section: str, **fields: Any) -> Recipe:
    content = recipe.model_dump(mode="json")
    content[section] |= fields
    return parse_recipe(content, "changed")


@pytest.mark.parametrize(
    ("section", "fields", "asked_anew", "scored_anew"),
    [
        ("evaluation", {"concurrency": 3, "metric": "exact_match"}, False, False),
        ("evaluation", {"rows": 2}, False, True),
        ("problem", {"judging": {"databases": 3}}, False, True),
        ("problem", {"answering": {"repairs": 1}}, True, True),
        ("evaluation", {"max_new_tokens": 9}, True, True),
        ("serving", {"dtype": "bfloat16"}, True, True),
        ("gate", {"min_score": 0.5}, False, False),
    ],
)
def test_the_keys_change_with_what_answers_and_scores_depend_on(
    recipe: Recipe, dataset: Reference, section: str, fields: dict[str, Any], asked_anew: bool, scored_anew: bool
) -> None:
    before = ModelExam(recipe, dataset, MODEL)
    after = ModelExam(changed(recipe, section, **fields), dataset, MODEL)
    assert (after.answers_key != before.answers_key, after.scores_key != before.scores_key) == (asked_anew, scored_anew)


def test_kept_answers_of_all_rounds_need_no_endpoint(recipe: Recipe, dataset: Reference, hasty_url: str) -> None:
    repairing = changed(changed(recipe, "serving", max_model_length=8192), "problem", answering={"repairs": 2})
    exam = ModelExam(repairing, dataset, MODEL)
    assert exam.kept() is None
    told: list[tuple[int, int]] = []
    answers = exam.ask(Http(hasty_url), lambda done, total: told.append((done, total)))
    n = len(exam.rows)
    assert told[-1] == (n, n)
    assert exam.score(answers, "model").scores.metrics["execution"].value == 1
    assert exam.kept() == answers
    exam.predictions.with_name("round-1.jsonl").unlink()
    assert exam.kept() is None, "the second round has to be asked yet"


def test_without_an_endpoint_no_times_are_told(recipe: Recipe, dataset: Reference, url: str) -> None:
    exam = ModelExam(recipe, dataset, MODEL)
    answers = exam.ask(Http(url), lambda done, total: None)
    assert exam.score(answers, "model").scores.latency is not None
    scores = exam.score(answers, "linear baseline", timed=False).scores
    assert (scores.latency, scores.requests_per_second) == (None, None)
