"""The unmodified flow with a real small model, trained and served behind SageMaker's API."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.flows.finetune import Outcome, finetune
from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.evaluation.files import read_scores
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms import platforms_in_use
from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection
from finetune_flows.tasks.recipe import Recipe, load_recipe, parse_recipe
from tests.flows.conftest import content, home, prefect_server, tiny_model
from tests.support.planted_secrets import Listener, in_aws, plant
from tests.support.sagemaker.emulator import NOTHING, Emulator

__all__ = ["content", "home", "prefect_server", "tiny_model"]


def demo(*overrides: str) -> Recipe:
    """The recipe that ships, on SageMaker, with fewer questions, and a gate that lets any model pass."""
    fewer = ["evaluation.rows=6", "gate.min_gain=-1", "gate.max_loss=1"]
    return load_recipe(Path("recipes/demo.yaml"), ["platform.kind=sagemaker", *fewer, *overrides])


@pytest.fixture
def recipe(tiny_model: Path) -> Recipe:
    """The tiny model needs more tokens for a row, because its tokenizer knows few words."""
    longer = ["dataset.max_tokens=400", "training.max_length=400"]
    return demo(f"model.source={tiny_model}", "training.max_steps=3", "evaluation.max_new_tokens=16", *longer)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What any logger says while the test runs."""
    listener, root = Listener(), logging.getLogger()
    before = root.level
    root.addHandler(listener)
    root.setLevel(logging.INFO)
    yield listener.lines
    root.removeHandler(listener)
    root.setLevel(before)


def ask(outcome: Outcome) -> str:
    assert outcome.endpoint is not None
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
    with SageMakerConnection(outcome.endpoint.url).client(60) as client:
        reply = client.post("/v1/chat/completions", json=body)
    return str(reply.raise_for_status().json()["choices"][0]["message"]["content"])


def test_rows_become_a_judged_model_behind_an_endpoint_and_nothing_else_is_left(
    emulator: Emulator, home: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    plant(monkeypatch)
    outcome = finetune(recipe)
    assert outcome.promoted
    assert outcome.endpoint is not None
    assert read_scores(outcome.base_evaluation).n == read_scores(outcome.evaluation).n == 6
    ask(outcome)

    held = emulator.holds()
    assert held["endpoints"] == [outcome.endpoint.name]
    assert [len(held[kind]) for kind in ("configs", "models", "running jobs")] == [1, 1, 0]
    (job,) = emulator.jobs.table.rows.values()
    assert (job.status, "train:loss" in {each["MetricName"] for each in job.metrics}) == ("Completed", True)
    assert not (outcome.model.path / "model" / "model.safetensors").exists(), "the weights stay in S3"
    assert json.loads((outcome.model.path / "remote.json").read_text())["uri"] == job.artifacts
    (version,) = emulator.packages.packages.rows.values()
    assert (version.name, version.request["ModelApprovalStatus"]) == ("demo/1", "Approved")
    champion = Registry().read("demo").champion
    assert champion is not None
    assert champion.model == outcome.model

    again = finetune(recipe)
    assert again.model_dump(exclude={"endpoint", "report"}) == outcome.model_dump(exclude={"endpoint", "report"})
    assert len(emulator.packages.packages.rows) == 1, "the same model is no new version"
    assert len(emulator.record.of("CreateTrainingJob")) == 1
    assert len(emulator.record.of("CreateEndpoint")) == 3, "base model, candidate, and the lasting address, once"
    assert outcome.endpoint.name == "demo"
    assert in_aws(emulator, said, home) == []

    sagemaker = next(each for each in platforms_in_use() if each.endpoints())
    assert sagemaker.delete_endpoint(outcome.endpoint.name)
    assert emulator.holds() == NOTHING


@pytest.mark.slow
def test_the_demo_recipe_runs_on_sagemaker_as_it_is(emulator: Emulator, home: Path) -> None:
    """With its model of 135 million weights, which is converted from GGUF; fewer steps and questions alone."""
    outcome = finetune(demo("training.max_steps=2"))
    assert outcome.promoted
    assert outcome.endpoint is not None
    assert read_scores(outcome.evaluation).n == 6
    assert emulator.holds()["endpoints"] == ["demo"]
    assert ask(outcome)


def test_a_run_over_its_budget_or_a_quota_is_refused_before_anything_is_uploaded(
    emulator: Emulator, home: Path, content: dict[str, Any]
) -> None:
    emulator.account.quotas["ml.g5.2xlarge for training job usage"] = 0
    with pytest.raises(RecipeError) as caught:
        finetune(parse_recipe(content | {"platform": {"kind": "sagemaker", "max_usd": 0.5}}, "tiny"))
    told = " ".join(caught.value.problems)
    assert "$0.50 does not pay for the run" in told
    assert "ml.g5.2xlarge for training job usage" in told
    changing = ("PUT", "POST", "Create", "Put", "Add")
    assert [call.operation for call in emulator.record.calls if call.operation.startswith(changing)] == []
