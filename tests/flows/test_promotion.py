"""Promotion, rollback and approval, with real models behind real servers, called all the while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from finetune_flows.flows.finetune import finetune
from finetune_flows.flows.promote import promote, rollback
from finetune_flows.tasks.base.errors import ArtifactDamaged, RegistryError
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.recipe import Recipe, parse_recipe

pytestmark = pytest.mark.usefixtures("reused")


def changed(recipe: Recipe, section: str, **fields: Any) -> Recipe:
    content = recipe.model_dump(mode="json")
    content[section] |= fields
    return parse_recipe(content, "changed")


@contextmanager
def calling(address: str) -> Iterator[list[str]]:
    """A client that calls the address all the while; the list holds the models that answered. An error fails the test."""
    stop, served, failures = threading.Event(), [], []
    body = {"model": "x", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2, "temperature": 0}

    def call() -> None:
        with httpx.Client(base_url=address, timeout=120) as client:
            while not stop.is_set():
                try:
                    client.post("/v1/chat/completions", json=body).raise_for_status()
                    served.append(httpx.get(f"{address}/.alias", timeout=60).json()["target"])
                except httpx.HTTPError as error:
                    failures.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield served
    finally:
        stop.set()
        thread.join()
    assert failures == []


def test_promotion_and_rollback_keep_the_address_and_lose_no_request(home: Path, recipe: Recipe) -> None:
    first = finetune(recipe)
    assert first.address is not None
    with calling(first.address) as served:
        second = finetune(changed(recipe, "training", seed=1))
        assert second.address == first.address
        [running] = ProcessRunner(root=home).endpoints()
        assert running.model_digest == second.model.digest, "the one before is stopped"

        alias = rollback("tiny", "users complain")
        assert alias.url == first.address
        [running] = ProcessRunner(root=home).endpoints()
        assert running.model_digest == first.model.digest, "its server was started again"
    assert len(set(served)) == 3, "the first, the second, and the first on a new port"

    with pytest.raises(RegistryError, match="no previous champion"):
        rollback("tiny")
    promote("tiny", second.model.digest[:8], reason="it was not the model")
    champion = Registry().read("tiny").champion
    assert champion is not None
    assert champion.model == second.model
    assert [switch.action for switch in Registry().read("tiny").switches] == [
        "promoted",
        "promoted",
        "rolled back",
        "promoted",
    ]


@pytest.mark.slow
def test_a_model_that_needs_approval_serves_once_a_person_promotes_it(home: Path, recipe: Recipe) -> None:
    outcome = finetune(changed(recipe, "gate", approval=True))
    assert (outcome.promoted, outcome.decision) == (False, "awaits approval")
    assert ProcessRunner(root=home).endpoints() == []
    assert Registry().read("tiny").champion is None
    alias = promote("tiny", reason="looked at it")
    assert alias is not None
    assert httpx.get(f"{alias.url}/ping", timeout=60).status_code == 200
    assert Registry().read("tiny").switches[0].reason == "looked at it"


@pytest.mark.slow
def test_what_the_gate_did_not_pass_is_promoted_only_if_asked_for_anyway(home: Path, recipe: Recipe) -> None:
    finetune(changed(recipe, "gate", min_score=0.99))
    with pytest.raises(RegistryError, match=r"(?s)did not pass.*99.0% required.*--anyway"):
        promote("tiny")
    with pytest.raises(RegistryError, match="other has no candidate yet"):
        promote("other")
    alias = promote("tiny", anyway=True, reason="I know better")
    assert alias is not None
    assert [endpoint.name for endpoint in ProcessRunner(root=home).endpoints()] == [alias.endpoint]


@pytest.mark.slow
def test_a_damaged_model_is_not_returned_to_and_the_champion_serves_on(home: Path, recipe: Recipe) -> None:
    first = finetune(recipe)
    second = finetune(changed(recipe, "training", seed=1))
    (first.model.path / "model" / "model.safetensors").write_bytes(b"not the weights")
    with pytest.raises(ArtifactDamaged):
        rollback("tiny")
    [running] = ProcessRunner(root=home).endpoints()
    assert running.model_digest == second.model.digest
    assert httpx.get(f"{second.address}/ping", timeout=60).status_code == 200
    champion = Registry().read("tiny").champion
    assert champion is not None
    assert champion.model == second.model
