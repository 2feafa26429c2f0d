"""Evaluate: ask the base model, the candidate and the champion the same questions, and score their answers."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import task

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store, verify
from finetune_flows.tasks.base.values import step_key
from finetune_flows.tasks.caching import cached_by
from finetune_flows.tasks.deploy import endpoint_name, running_endpoint, start_endpoint
from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.endpoints.asking import OURS, Access
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.evaluation.exam import SCORES_VERSION, EndpointExam, Exam, ModelExam
from finetune_flows.tasks.evaluation.files import Scored, write_evaluation
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.progress import progress
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.retrying import RETRIES


def scores_key(recipe: Recipe, model: Reference, dataset: Reference) -> str:
    """What the scores of a model depend on."""
    return ModelExam(recipe, dataset, model).scores_key


def _candidate_key(recipe: Recipe, model: Reference, dataset: Reference, endpoint: Endpoint) -> str:
    return scores_key(recipe, model, dataset)


@task(name="evaluate-base", **cached_by(scores_key), **RETRIES)
def evaluate_base(recipe: Recipe, model: Reference, dataset: Reference) -> Reference:
    """Scores of the base model, on a temporary endpoint, or of the problem's baseline where a base model cannot answer."""
    exam, who = ModelExam(recipe, dataset, model), recipe.problem.base
    if found := _find(exam):
        return found
    answers = exam.base_answers()
    if answers is not None:
        return _keep(exam, exam.score(answers, who, timed=False))
    return _keep(exam, exam.score(_answers(exam, model.path, "base", who), who))


@task(name="evaluate-champion", **RETRIES)
def evaluate_champion(recipe: Recipe, model: Reference, dataset: Reference) -> Reference:
    """Scores of the champion on today's test rows, by today's judge, on its own endpoint or on a temporary one.

    Answers and scores that exist already are reused.
    """
    exam = ModelExam(recipe, dataset, model)
    if found := _find(exam):
        return found
    verify(model)
    running = running_endpoint(recipe, model)
    if running is not None:
        answers = _ask(exam, _connection(recipe, running), "champion")
    else:
        answers = _answers(exam, model.path / "model", "champion", "champion")
    return _keep(exam, exam.score(answers, "champion"))


@task(name="evaluate-candidate", **cached_by(_candidate_key), **RETRIES)
def evaluate_candidate(recipe: Recipe, model: Reference, dataset: Reference, endpoint: Endpoint) -> Reference:
    """Scores of the tuned model behind `endpoint`."""
    exam, who = ModelExam(recipe, dataset, model), "tuned model"
    return _find(exam) or _keep(exam, exam.score(_ask(exam, _connection(recipe, endpoint), who), who))


@task(name="score-endpoint", **RETRIES)
def score_endpoint(
    recipe: Recipe, connection: Connection, model: str, dataset: Reference, access: Access = OURS
) -> Reference:
    """Scores of the endpoint behind a connection. Never cached: it may serve another model tomorrow."""
    exam = EndpointExam(recipe, dataset, connection.url, model, access=access)
    scored = exam.score(_ask(exam, connection, "endpoint"), "endpoint")
    store, asked = Store(), {"answers": exam.answers_key, "at": time.time_ns()}
    once = step_key("evaluate-endpoint", SCORES_VERSION, asked, [])
    with store.write("evaluation", once) as draft:
        draft.parents.append(dataset.digest)
        write_evaluation(draft.path, scored)
    shutil.rmtree(exam.predictions.parent)  # answers are kept only so that an interrupted evaluation can continue
    return store.require("evaluation", once)


def _find(exam: ModelExam) -> Reference | None:
    return Store().find("evaluation", exam.scores_key)


def _keep(exam: ModelExam, scored: Scored) -> Reference:
    store = Store()
    with store.write("evaluation", exam.scores_key) as draft:
        draft.parents += [exam.model.digest, exam.dataset.digest]
        write_evaluation(draft.path, scored)
    return store.require("evaluation", exam.scores_key)


def _answers(exam: ModelExam, weights: Path, role: str, who: str) -> list[Answer]:
    """The stored answers or, if some are missing, the answers of a temporary endpoint."""
    kept = exam.kept()
    if kept is not None:
        return kept
    with _temporary_endpoint(exam, weights, role) as endpoint:
        return _ask(exam, _connection(exam.recipe, endpoint), who)


@contextmanager
def _temporary_endpoint(exam: ModelExam, weights: Path, role: str) -> Iterator[Endpoint]:
    name = endpoint_name(exam.recipe, exam.model, role)
    try:
        yield start_endpoint(exam.recipe, name, weights, exam.model)
    finally:
        platform_of(exam.recipe.platform).delete_endpoint(name)


def _connection(recipe: Recipe, endpoint: Endpoint) -> Connection:
    return platform_of(recipe.platform).connection(endpoint)


def _ask(exam: Exam, connection: Connection, who: str) -> list[Answer]:
    with progress(f"ask the {who}", f"{who.split()[0]}-evaluation-progress") as update:
        return exam.ask(connection, lambda done, total: update(done, total))
