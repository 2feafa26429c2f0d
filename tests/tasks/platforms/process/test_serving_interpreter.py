"""An endpoint may be served by another interpreter than the one that trains: vLLM needs its own environment."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels
from finetune_flows.tasks.recipe import ProcessPlatform, ServingSection
from tests.support.tiny_model import build_tiny_model


def test_the_recipes_interpreter_serves(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    trace, other = tmp_path / "trace", tmp_path / "other-python"
    other.write_text(f'#!/bin/sh\necho "$@" >> {trace}\nexec {sys.executable} "$@"\n', encoding="utf-8")
    other.chmod(0o755)
    expiry = datetime.now(UTC) + timedelta(minutes=5)
    spec = EndpointSpec(
        name="r-1",
        model=build_tiny_model(tmp_path / "model"),
        model_digest="d1",
        serving=ServingSection(startup_minutes=4),
        labels=Labels(recipe="r", step_key="k", flow_run="f", expires_at=expiry),
    )
    platform = platform_of(ProcessPlatform(serving_python=str(other)))
    endpoint = platform.start_endpoint(spec)
    try:
        assert [each.name for each in platform.endpoints()] == ["r-1"]
        assert "-m finetune_flows.containers.serving serve" in trace.read_text(encoding="utf-8")
    finally:
        platform.delete_endpoint(endpoint.name)
