"""The whole flow with a real small model: made once, found again, made again when it was damaged."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import ModelCard
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.client.schemas.sorting import FlowRunSort

from finetune_flows.flows.finetune import Outcome, finetune
from finetune_flows.tasks.artifacts.runs import latest_recipe, list_runs
from finetune_flows.tasks.base.errors import DatasetError, JobFailed
from finetune_flows.tasks.evaluation.files import read_scores
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.recipe import Recipe, parse_recipe
from finetune_flows.tasks.reporting.tracking import store_uri
from tests.support.planted_secrets import in_files, plant, prefect_database, watched


def changed(recipe: Recipe, section: str, **fields: Any) -> Recipe:
    content = recipe.model_dump(mode="json")
    content[section] |= fields
    return parse_recipe(content, "changed")


def predictions_of(home: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in (home / "predictions").rglob("*.jsonl")}


def _task_runs(name: str) -> list[TaskRun]:
    """Task runs of a task in the newest flow run."""
    with get_client(sync_client=True) as client:
        [run] = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)
        runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    return [each for each in runs if each.name.startswith(f"{name}-")]


def ask(outcome: Outcome) -> str:
    assert outcome.endpoint is not None
    body = {"model": "x", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
    reply = httpx.post(f"{outcome.endpoint.url}/v1/chat/completions", json=body, timeout=60)
    return str(reply.raise_for_status().json()["choices"][0]["message"]["content"])


@pytest.mark.usefixtures("kept")
def test_rows_become_a_judged_model_behind_an_endpoint_and_a_second_run_finds_it(
    home: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with watched(home) as leaks:
        first = finetune(recipe)
    assert leaks == set(), "no secret reaches the trainer, the servers or the judge's workers"
    assert in_files(home.parent, prefect_database()) == []
    assert first.promoted
    assert read_scores(first.base_evaluation).n == read_scores(first.evaluation).n == 6
    assert {path.name for path in (first.model.path / "adapter").parent.iterdir()} >= {"model", "training.json"}
    ask(first)
    champion = Registry().read("tiny").champion
    assert champion is not None
    assert champion.model == first.model
    assert not list((home / "checkpoints").glob("*")), "a finished job keeps no checkpoints"
    asked, jobs = predictions_of(home), sorted((home / "jobs").iterdir())

    second = finetune(recipe)
    assert second.model_dump(exclude={"endpoint", "report"}) == first.model_dump(exclude={"endpoint", "report"})
    assert second.endpoint is not None
    assert first.endpoint is not None
    assert second.endpoint.url == first.endpoint.url, "the endpoint that ran was taken, not started again"
    assert predictions_of(home) == asked
    assert sorted((home / "jobs").iterdir()) == jobs
    assert len(Registry().read("tiny").history) == 1, "deciding the same again is no news"
    assert [run.result for run in list_runs()] == ["promoted", "promoted"]
    assert latest_recipe("tiny") == recipe


@pytest.mark.usefixtures("reused")
def test_a_run_leaves_a_report_a_card_and_an_entry_in_mlflow(home: Path, recipe: Recipe) -> None:
    from mlflow import MlflowClient

    outcome = finetune(changed(recipe, "tracking", to="mlflow"))
    assert outcome.report is not None
    folder = Path(outcome.report).parent
    card = ModelCard.load(folder / "model_card.md")
    assert card.data.model_name == "tiny"
    assert [result.metric_value for result in card.data.eval_results or [] if result.metric_type == "execution"] == [
        read_scores(outcome.evaluation).metrics["execution"].value
    ]
    client = MlflowClient(tracking_uri=store_uri(recipe))
    [experiment] = [each for each in client.search_experiments() if each.name == "tiny"]
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.tags["digest.model"] == outcome.model.digest
    assert run.data.metrics["tuned/execution_n"] == 6
    assert {"report.html", "recipe.yaml"} <= {file.path for file in client.list_artifacts(run.info.run_id)}
    assert len(client.get_metric_history(run.info.run_id, "training/loss")) == 3


@pytest.mark.slow
def test_levers_of_the_answers_ask_anew_and_train_nothing(home: Path, recipe: Recipe) -> None:
    first = finetune(recipe)
    asked, jobs = predictions_of(home), sorted((home / "jobs").iterdir())
    roomy = changed(recipe, "serving", max_model_length=2048)
    second = finetune(changed(roomy, "problem", answering={"grammar": True, "repairs": 2, "examples": 1}))
    assert second.model == first.model
    assert sorted((home / "jobs").iterdir()) == jobs
    new = predictions_of(home).keys() - asked.keys()
    assert {path.name for path in new} >= {"predictions.jsonl"}
    told = [json.loads(line) for line in (second.evaluation.path / "predictions.jsonl").read_text().splitlines()]
    assert len(told) == 6
    starts = {answer["text"].strip().lower()[:4] for answer in told} - {""}
    assert starts <= {"sele", "with"} or all(start.startswith("(") or "sele".startswith(start) for start in starts), (
        starts
    )
    known = json.loads((first.evaluation.path / "predictions.jsonl").read_text().splitlines()[0])
    assert told[0]["prompt_tokens"] > known["prompt_tokens"], "an example stands before the question"


@pytest.mark.usefixtures("reused")
def test_a_changed_evaluation_is_scored_again_without_training_or_asking(home: Path, recipe: Recipe) -> None:
    first = finetune(recipe)
    asked, jobs = predictions_of(home), list(home.glob("jobs/*"))
    second = finetune(changed(recipe, "problem", judging={"databases": 3}))
    assert second.model == first.model
    assert second.evaluation != first.evaluation
    assert (predictions_of(home), list(home.glob("jobs/*"))) == (asked, jobs)

    third = finetune(changed(recipe, "evaluation", rows=8))
    assert read_scores(third.evaluation).n == 8
    for path, text in asked.items():
        assert path.read_text(encoding="utf-8").startswith(text), "the rows that were answered are not asked again"


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["tampered", "deleted"])
def test_a_damaged_model_is_trained_again_and_is_the_same(home: Path, recipe: Recipe, damage: str) -> None:
    first = finetune(recipe)
    weights = first.model.path / "model" / "model.safetensors"
    if damage == "tampered":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    else:
        weights.unlink()
    second = finetune(recipe)
    assert second.promoted
    assert len(list((home / "jobs").iterdir())) == 2
    assert weights_of(second) == weights_of(first) != b"", "trained with one seed, the weights are the same to the bit"


def weights_of(outcome: Outcome) -> bytes:
    return (outcome.model.path / "model" / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("reused")
def test_a_refused_model_serves_nothing_and_the_refusal_is_on_record(home: Path, recipe: Recipe) -> None:
    state = finetune(changed(recipe, "gate", min_score=0.99), return_state=True)
    assert (state.name, state.is_completed()) == ("Refused", True)
    assert "Wanted: at least 99.0%. Surely missed" in str(state.message)
    outcome = state.result()
    assert not outcome.promoted
    assert outcome.endpoint is None
    assert ProcessRunner(root=home).endpoints() == []
    record = Registry().read("tiny")
    assert record.champion is None
    assert [entry.decision.passed for entry in record.history] == [False]
    [gate] = _task_runs("gate")
    assert (gate.state_name, gate.state_type) == ("Refused", StateType.COMPLETED)


@pytest.mark.slow
@pytest.mark.usefixtures("reused")
def test_a_champion_that_is_judged_again_and_refused_serves_on(home: Path, recipe: Recipe) -> None:
    first = finetune(recipe)
    second = finetune(changed(recipe, "gate", min_score=0.99))
    assert not second.promoted
    ask(first)


@pytest.mark.slow
@pytest.mark.usefixtures("reused")
def test_a_new_champion_ends_the_endpoint_of_the_one_before(home: Path, recipe: Recipe) -> None:
    finetune(recipe)
    second = finetune(changed(recipe, "training", seed=1))
    assert second.endpoint is not None
    assert [endpoint.name for endpoint in ProcessRunner(root=home).endpoints()] == [second.endpoint.name]


@pytest.mark.usefixtures("reused")
def test_a_failed_job_is_told_in_the_words_of_its_program_and_leaves_nothing_running(
    home: Path, recipe: Recipe
) -> None:
    with pytest.raises(JobFailed, match=r"(?s)job tiny-\w+-1 failed: .*log: "):
        finetune(changed(recipe, "training", lora_targets="no_such_layer", method="lora"))
    assert ProcessRunner(root=home).endpoints() == []
    assert "JobFailed" in list_runs()[-1].result


@pytest.mark.usefixtures("reused")
def test_too_many_bad_rows_stop_the_run_and_their_list_is_kept(home: Path, recipe: Recipe) -> None:
    source = Path(recipe.dataset.source)
    source.write_text(source.read_text() + "".join(f'{{"question": {n}}}\n' for n in range(20)))
    with pytest.raises(DatasetError) as caught:
        finetune(recipe)
    listed = next((home / "quarantine").glob("*.jsonl"))
    assert str(listed) in str(caught.value)
    assert len([json.loads(line) for line in listed.read_text().splitlines()]) >= 20
