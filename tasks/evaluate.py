"""Evaluate: the same questions to the base model and to the candidate, scored by what their answers do."""

import itertools
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import task

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.store import Store, verify
from finetune_flows.tasks.base.errors import TryLater
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.values import now, step_key
from finetune_flows.tasks.caching import cached_by
from finetune_flows.tasks.deploy import endpoint_name, running_endpoint, start_endpoint
from finetune_flows.tasks.endpoints.answers import Answer, collect_answers, digest_of_test, is_answered, read_test_rows
from finetune_flows.tasks.endpoints.asking import OURS, Access, TestRow
from finetune_flows.tasks.endpoints.connect import Connection, Http
from finetune_flows.tasks.evaluation.files import Scored, write_evaluation, write_lines
from finetune_flows.tasks.evaluation.scores import summarise
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.problems import problem_of
from finetune_flows.tasks.progress import progress
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.retrying import RETRIES

ANSWERS_VERSION = 2
SCORES_VERSION = 5

Source = Connection | Mapping[str, str]
"""Where answers come from: an endpoint, or what was said by row id."""


def answers_key(recipe: Recipe, model: Reference, dataset: Reference) -> str:
    """What the answers depend on: of the data set only its test, so that a model is not asked the same test twice.

    How many rows are asked is not part of it: more rows only add answers.
    """
    settings = {
        "max_new_tokens": recipe.evaluation.max_new_tokens,
        "engine": recipe.serving.engine,
        "dtype": recipe.serving.dtype,
        "max_model_length": recipe.serving.max_model_length,
        **recipe.problem.answer_settings,
    }
    rows = dataset.digest if recipe.problem.shows_training_rows else digest_of_test(dataset.path / "test.parquet")
    return step_key("answers", ANSWERS_VERSION, settings, [model.digest, rows])


def scores_key(recipe: Recipe, model: Reference, dataset: Reference) -> str:
    """Which score the gate looks at, and how fast the questions are asked, does not change the scores."""
    settings = recipe.evaluation.model_dump(mode="json", exclude={"metric", "concurrency", "timeout_seconds"})
    settings["problem"] = recipe.problem.model_dump(mode="json")
    # The whole data set: scores are also told by how much of a row's schema the training rows have.
    return step_key("evaluate", SCORES_VERSION, settings, [answers_key(recipe, model, dataset), dataset.digest])


def _candidate_key(recipe: Recipe, model: Reference, dataset: Reference, endpoint: Endpoint) -> str:
    return scores_key(recipe, model, dataset)


@task(name="evaluate-base", **cached_by(scores_key), **RETRIES)
def evaluate_base(recipe: Recipe, model: Reference, dataset: Reference) -> Reference:
    """Scores of the untuned model, on an endpoint that lives no longer than this task, or of what stands for it."""
    found = Store().find("evaluation", scores_key(recipe, model, dataset))
    if found is not None:
        return found
    problem = problem_of(recipe.problem)
    said = problem.base_answers(read_test_rows(dataset.path / "test.parquet", recipe.evaluation.rows), dataset.path)
    if said is not None:
        return _evaluate(recipe, model, dataset, said, problem.base)
    return _evaluate_on_its_own(recipe, model, model.path, dataset, "base", problem.base)


@task(name="evaluate-champion", **RETRIES)
def evaluate_champion(recipe: Recipe, model: Reference, dataset: Reference) -> Reference:
    """Scores of the champion by today's test and judge; its endpoint is asked, or one that lives for this.

    Nothing is asked that it has answered, and nothing is scored that has been.
    """
    found = Store().find("evaluation", scores_key(recipe, model, dataset))
    if found is not None:
        return found
    verify(model)
    running = running_endpoint(recipe, model)
    if running is not None:
        return _evaluate(recipe, model, dataset, platform_of(recipe.platform).connection(running), "champion")
    return _evaluate_on_its_own(recipe, model, model.path / "model", dataset, "champion", "champion")


def _evaluate_on_its_own(
    recipe: Recipe, model: Reference, folder: Path, dataset: Reference, role: str, who: str
) -> Reference:
    """On an endpoint that lives no longer than the questions take, or on none, where all are answered."""
    rows = read_test_rows(dataset.path / "test.parquet", recipe.evaluation.rows)
    if is_answered(rows, _predictions(recipe, model, dataset)):
        return _evaluate(recipe, model, dataset, Http(""), who)
    name, platform = endpoint_name(recipe, model, role), platform_of(recipe.platform)
    try:
        endpoint = start_endpoint(recipe, name, folder, model)
        return _evaluate(recipe, model, dataset, platform.connection(endpoint), who)
    finally:
        platform.delete_endpoint(name)


@task(name="evaluate-candidate", **cached_by(_candidate_key), **RETRIES)
def evaluate_candidate(recipe: Recipe, model: Reference, dataset: Reference, endpoint: Endpoint) -> Reference:
    """Scores of the tuned model behind `endpoint`."""
    found = Store().find("evaluation", scores_key(recipe, model, dataset))
    connection = platform_of(recipe.platform).connection(endpoint)
    return found or _evaluate(recipe, model, dataset, connection, "tuned model")


def _evaluate(recipe: Recipe, model: Reference, dataset: Reference, source: Source, who: str) -> Reference:
    store, key = Store(), scores_key(recipe, model, dataset)
    predictions = _predictions(recipe, model, dataset)
    scored = _score(recipe, source, model.digest, dataset, predictions, who)
    with store.write("evaluation", key) as draft:
        draft.parents += [model.digest, dataset.digest]
        write_evaluation(draft.path, scored)
    return store.require("evaluation", key)


def _predictions(recipe: Recipe, model: Reference, dataset: Reference) -> Path:
    return home() / "predictions" / answers_key(recipe, model, dataset)[:24] / "predictions.jsonl"


@task(name="score-endpoint", **RETRIES)
def score_endpoint(
    recipe: Recipe, connection: Connection, model: str, dataset: Reference, access: Access = OURS
) -> Reference:
    """Scores of whatever is behind `connection`. Never cached: it may be another model tomorrow."""
    asked = {"url": connection.url, "model": model} | ({"named": access.model} if access.model else {})
    key = step_key("foreign-answers", ANSWERS_VERSION, asked, [dataset.digest])
    predictions = home() / "predictions" / key[:24] / "predictions.jsonl"
    scored = _score(recipe, connection, model, dataset, predictions, "endpoint", access)
    store, once = Store(), step_key("evaluate-endpoint", SCORES_VERSION, {"answers": key, "at": now().isoformat()}, [])
    with store.write("evaluation", once) as draft:
        draft.parents.append(dataset.digest)
        write_evaluation(draft.path, scored)
    shutil.rmtree(predictions.parent)  # kept only while a run may have to carry on
    return store.require("evaluation", once)


def _score(
    recipe: Recipe,
    source: Source,
    model_digest: str,
    dataset: Reference,
    predictions: Path,
    who: str,
    access: Access = OURS,
) -> Scored:
    rows = read_test_rows(dataset.path / "test.parquet", recipe.evaluation.rows)
    problem = problem_of(recipe.problem)
    problem.check(rows)
    if isinstance(source, Mapping):
        answers = _take(source, predictions)
    else:
        answers = _ask_all(recipe, source, problem.asked(rows, dataset.path), predictions, who, access)
    judged = problem.judge(rows, {answer.id: answer.text for answer in answers}, dataset.path)
    digests = {"dataset_digest": dataset.digest, "model_digest": model_digest}
    scores = summarise(
        judged.verdicts,
        answers,
        recipe.evaluation,
        problem.judge_settings(),
        who=who,
        estimates=judged.estimates,
        details=judged.details,
        **digests,
    )
    if isinstance(source, Mapping):
        scores = scores.model_copy(update={"latency": None, "requests_per_second": None})
    return Scored(answers, judged, scores)


def _ask_all(
    recipe: Recipe, connection: Connection, rows: Sequence[TestRow], path: Path, who: str, access: Access
) -> list[Answer]:
    """Every row's answer; where the problem asks again, the last one. The rounds are kept in files of their own."""
    problem = problem_of(recipe.problem)
    answers = {answer.id: answer for answer in _ask(recipe, connection, rows, path, who, access)}
    for round_ in itertools.count(1):
        texts = {id_: answer.text for id_, answer in answers.items()}
        again = problem.asked_again(rows, texts, round_)
        if not again:
            return list(answers.values())
        file = path.with_name(f"round-{round_}.jsonl")
        answers |= {answer.id: answer for answer in _ask(recipe, connection, again, file, who, access)}
    raise AssertionError("rounds are counted for ever")


def _take(said: Mapping[str, str], path: Path) -> list[Answer]:
    """Answers that nobody had to be asked for, written down like those of an endpoint."""
    answers = [Answer(id=id_, text=text, asked_at=time.time(), latency_seconds=0) for id_, text in said.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_lines(path, answers)
    return answers


def _ask(
    recipe: Recipe, connection: Connection, rows: Sequence[TestRow], path: Path, who: str, access: Access
) -> list[Answer]:
    """Every answer; those already in `path` are not asked for again.

    Raises:
        TryLater: some rows got no answer. The next try asks only those.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    form = problem_of(recipe.problem).form
    with progress(f"ask the {who}", f"{who.split()[0]}-evaluation-progress") as update:
        answers = collect_answers(
            connection, rows, recipe.evaluation, path, lambda done, total: update(done, total), form, access
        )
    failed = [answer for answer in answers if answer.error]
    if failed:
        raise TryLater(f"{len(failed)} of {len(rows)} questions to {connection.url} got no answer: {failed[0].error}")
    return answers
