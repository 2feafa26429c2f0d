"""The conformance suite against the serving image that ships, in a container as the platform starts it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docker
import pytest

from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels
from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.sections.platforms import DockerPlatform
from finetune_flows.tasks.sections.stages import ServingSection
from tests import ROOT
from tests.containers.serving.lively_model import lively_model
from tests.tasks.platforms.docker.conftest import remove_containers

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_the_serving_image_conforms(
    client: docker.DockerClient, base_image: str, package_index: None, tmp_path: Path
) -> None:
    runner = DockerRunner(DockerPlatform(base_image=base_image, memory_gb=4), tmp_path / "docker")
    spec = EndpointSpec(
        name="conformance",
        model=lively_model(tmp_path / "model", window=512),
        model_digest="lively",
        serving=ServingSection(engine="transformers", startup_minutes=5),
        labels=Labels(recipe="r", step_key="k", flow_run="f", expires_at=datetime.now(UTC) + timedelta(hours=1)),
    )
    try:
        endpoint = runner.start_endpoint(spec)
        command = [sys.executable, "-m", "pytest", "tests/conformance", "--endpoint", endpoint.url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        assert " passed" in done.stdout
        assert runner.delete_endpoint("conformance")
    finally:
        remove_containers(client, tmp_path)
