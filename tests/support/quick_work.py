"""What platforms are given to do in tests: a job and an endpoint of a second, by the programs of tests/support/contract_image."""

import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels, TrainingJob
from finetune_flows.tasks.sections.stages import ServingSection
from tests import SUPPORT

SERVING = ServingSection(max_model_length=512, max_batch_size=4, startup_minutes=1)


def labels(seconds: float = 600) -> Labels:
    """Labels that expire in `seconds`."""
    expires_at = (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
    return Labels(recipe="r", step_key="k", flow_run="f", expires_at=expires_at)


def a_job(folder: Path, **hyperparameters: str) -> TrainingJob:
    """A job "r-key" whose rows are in `folder`."""
    rows = folder / "rows"
    rows.mkdir(exist_ok=True)
    (rows / "rows.txt").write_text("rows")
    return TrainingJob(
        name="r-key",
        hyperparameters=hyperparameters,
        channels={"dataset": rows},
        checkpoints="r-key",
        max_runtime_seconds=300,
        labels=labels(),
    )


def an_endpoint(folder: Path, name: str = "r-1", serving: ServingSection = SERVING) -> EndpointSpec:
    """An endpoint for the model "d1", whose files are in `folder`."""
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return EndpointSpec(name=name, model=model, model_digest="d1", serving=serving, labels=labels())


def quick_python(folder: Path) -> Path:
    """An interpreter, written into `folder`, that runs the quick programs in place of ours."""
    interpreter = folder / "python"
    program = shlex.quote(str(SUPPORT / "contract_image" / "as_python.py"))
    interpreter.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {program} "$@"\n', encoding="utf-8")
    interpreter.chmod(0o755)
    return interpreter
