"""A classifier in the images that ship: the same weights and the same scores as in processes."""

from pathlib import Path

import docker
import httpx
import pytest

from finetune_flows.flows.finetune import Outcome, finetune
from finetune_flows.tasks.evaluation.files import Scores, read_scores
from finetune_flows.tasks.platforms import platforms_in_use
from finetune_flows.tasks.recipe import parse_recipe
from tests.flows.conftest import home, prefect_server, tiny_model
from tests.support.tiny_classifier import classifier_recipe
from tests.tasks.platforms.docker.conftest import remove_containers

pytestmark = [pytest.mark.docker, pytest.mark.slow]
__all__ = ["home", "prefect_server", "tiny_model"]


def answers(outcome: Outcome) -> list[list[dict[str, object]]]:
    assert outcome.endpoint is not None
    body = {"inputs": ["the plot is lovely", "A  DULL   ending"], "parameters": {"top_k": 2}}
    reply = httpx.post(f"{outcome.endpoint.url}/invocations", json=body, timeout=60)
    return list(reply.raise_for_status().json())


def delete_endpoints() -> None:
    for platform in platforms_in_use():
        for endpoint in platform.endpoints():
            assert platform.delete_endpoint(endpoint.name)


def judged(scores: Scores) -> dict[str, object]:
    """All details that are counts."""
    return {name: detail for name, detail in scores.details.items() if name != "calibration"}


def test_containers_make_the_same_classifier_with_the_same_scores(
    client: docker.DockerClient,
    base_image: str,
    package_index: None,
    home: Path,
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = classifier_recipe(tmp_path, tiny_model)
    platform = {"kind": "docker", "base_image": base_image, "memory_gb": 4}
    try:
        docker_made = finetune(parse_recipe(content | {"platform": platform}, "docker"))
        docker_said = answers(docker_made)
        delete_endpoints()
    finally:
        remove_containers(client, home)
    monkeypatch.setenv("FINETUNE_HOME", str(home.parent / "another home"))
    try:
        process_made = finetune(parse_recipe(content, "process"))
        process_said = answers(process_made)
    finally:
        delete_endpoints()
    weights = "model/model.safetensors"
    assert (docker_made.model.path / weights).read_bytes() == (process_made.model.path / weights).read_bytes()
    assert docker_said == process_said

    ours, theirs = read_scores(docker_made.evaluation), read_scores(process_made.evaluation)
    assert ours.metrics == theirs.metrics
    assert judged(ours) == judged(theirs)
    # A probability depends on the texts that happen to be computed with it, in its seventh digit.
    ece = ours.details["calibration"]["ece"]
    assert ece == pytest.approx(theirs.details["calibration"]["ece"], abs=1e-4)
    assert read_scores(docker_made.evaluation).metrics["accuracy"].value >= 0.8
