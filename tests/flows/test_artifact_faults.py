"""Artifacts in the UI are a convenience: when they cannot be written, the run goes on."""

import logging
from pathlib import Path

import pytest
from prefect import flow
from prefect.artifacts import Artifact
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_UI_URL, temporary_settings

from finetune_flows.tasks import report
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.recipe import load_recipe


def test_a_card_links_to_its_run_and_to_the_other_cards() -> None:
    @flow
    def decided() -> str:
        with temporary_settings({PREFECT_UI_URL: "http://ui.test"}):
            report.publish_decision("demo", True, ["it is better"])
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        return str(context.flow_run.id)

    run = decided()
    shown = Artifact.get("gate-decision")
    assert shown is not None
    text = str(shown.data)
    assert "- it is better" in text
    assert f"http://ui.test/runs/flow-run/{run}" in text
    assert all(f"http://ui.test/artifacts/key/{key}" in text for key in report.KEYS)


def test_a_card_that_cannot_be_drawn_or_stored_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    absent = Reference(kind="dataset", uri=str(tmp_path / "gone"), digest="d", size=0, step_key="k")

    @flow
    def reported() -> str:
        report.publish_dataset(absent)
        report.publish_training(load_recipe("recipes/demo.yaml"), absent)
        report._publish("Not_A_Key", lambda: "the server refuses this key")
        return "went on"

    logger = logging.getLogger("finetune")
    logger.addHandler(caplog.handler)
    try:
        assert reported() == "went on"
    finally:
        logger.removeHandler(caplog.handler)
    for key in ("dataset-card", "training-report", "Not_A_Key"):
        assert f"the artifact {key} could not be created" in caplog.text
