"""The images that ship, really built, and the whole flow in them: the same scores as in processes, and nothing left."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from finetune_flows.flows.finetune import finetune
from finetune_flows.tasks.evaluation.files import read_scores
from finetune_flows.tasks.platforms import platforms_in_use
from finetune_flows.tasks.recipe import parse_recipe
from tests.flows.conftest import content, home, prefect_server, tiny_model
from tests.support.planted_secrets import PLANTED, in_files, plant, prefect_database, watched
from tests.tasks.platforms.docker.conftest import remove_containers

pytestmark = [pytest.mark.docker, pytest.mark.slow]
__all__ = ["content", "home", "prefect_server", "tiny_model"]


@pytest.fixture
def in_containers(
    content: dict[str, Any],
    home: Path,
    client: docker.DockerClient,
    base_image: str,
    package_index: None,
) -> Iterator[dict[str, Any]]:
    yield content | {"platform": {"kind": "docker", "base_image": base_image, "memory_gb": 4}}
    remove_containers(client, home)


def test_containers_make_the_same_model_with_the_same_scores(
    in_containers: dict[str, Any], content: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with watched(home) as leaks:
        docker_made = finetune(parse_recipe(in_containers, "docker"))
    assert docker_made.endpoint is not None
    assert leaks == set()
    assert in_files(home.parent, prefect_database()) == []
    [serving, *_] = docker.from_env().containers.list(filters={"label": f"finetune.home={home / 'docker'}"})
    assert not any(value in json.dumps(serving.attrs) + serving.logs().decode() for value in PLANTED.values())
    body = {"model": "x", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
    url = f"{docker_made.endpoint.url}/v1/chat/completions"
    assert httpx.post(url, json=body, timeout=60).status_code == 200
    (_, platform) = platforms_in_use()
    assert platform.endpoints() == [docker_made.endpoint]
    assert platform.delete_endpoint(docker_made.endpoint.name)
    assert docker.from_env().containers.list(all=True, filters={"label": f"finetune.home={home / 'docker'}"}) == []

    monkeypatch.setenv("FINETUNE_HOME", str(home.parent / "another home"))
    process_made = finetune(parse_recipe(content, "process"))
    assert platforms_in_use()[0].delete_endpoint(process_made.endpoint.name)  # type: ignore[union-attr]
    weights = "model/model.safetensors"
    assert (docker_made.model.path / weights).read_bytes() == (process_made.model.path / weights).read_bytes()
    ours, theirs = (read_scores(each.evaluation).metrics for each in (docker_made, process_made))
    assert json.dumps({k: v.model_dump() for k, v in ours.items()}) == json.dumps(
        {k: v.model_dump() for k, v in theirs.items()}
    )
