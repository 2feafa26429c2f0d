"""A project of the user's own has folders of our names, or of our libraries': none of them is run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels, TrainingJob
from finetune_flows.tasks.platforms.process import ProcessRunner
from finetune_flows.tasks.sections.stages import ServingSection
from tests.support.tiny_model import build_tiny_model, write_tiny_dataset

THEIRS = ("tasks", "flows", "training", "containers", "datasets", "tokenizers", "finetune_flows")
SETTINGS = {"method": "full", "max_steps": "1", "batch_size": "2", "max_length": "256"}


def test_a_model_is_staged_trained_and_served_in_a_project_with_folders_of_our_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    for name in THEIRS:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text(f"raise SystemExit('this is the {name} of the user')")
    (tmp_path / "rows").mkdir()
    source, rows = build_tiny_model(tmp_path / "source"), write_tiny_dataset(tmp_path / "rows", 4)
    monkeypatch.chdir(project)
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    runner, base = ProcessRunner(), tmp_path / "base"
    base.mkdir()
    runner.convert_model(source, base, None)
    labels = Labels(recipe="r", step_key="k", flow_run="f", expires_at=datetime.now(UTC) + timedelta(minutes=9))
    job = TrainingJob(
        name="r-key",
        hyperparameters=SETTINGS,
        channels={"model": base, "dataset": rows},
        checkpoints="r-key",
        max_runtime_seconds=300,
        labels=labels,
    )
    model = runner.job_output(run_job(runner, job, print, print)) / "model"
    serving = ServingSection(startup_minutes=4)
    endpoint = runner.start_endpoint(
        EndpointSpec(name="r-1", model=model, model_digest="d", serving=serving, labels=labels)
    )
    try:
        assert httpx.get(f"{endpoint.url}/ping").status_code == 200
    finally:
        runner.delete_endpoint("r-1")
