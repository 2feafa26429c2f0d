"""A finished run in a real MLflow store: an SQLite file, as on any machine without a server."""

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from finetune_flows.tasks.recipe import TrackingSection
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.tracking import metrics, parameters, store_uri, tags
from finetune_flows.tasks.track import track_run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return tmp_path / "home"


def tracked(facts: RunFacts, uri: str | None = None) -> RunFacts:
    tracking = TrackingSection(to="mlflow", uri=uri)
    return replace(facts, recipe=facts.recipe.model_copy(update={"tracking": tracking}))


@contextmanager
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The command line's set-up, in another test, may have cut our logger off from the root."""
    logger = logging.getLogger("finetune")
    logger.addHandler(caplog.handler)
    try:
        yield
    finally:
        logger.removeHandler(caplog.handler)


def test_a_run_is_found_again_with_what_it_was_made_of_and_how_well_it_does(
    facts: RunFacts, home: Path, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    for name in ("report.html", "recipe.yaml"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (facts.evaluation.path / "scores.json").write_text(facts.tuned.model_dump_json(), encoding="utf-8")
    assert track_run(tracked(facts), tmp_path)
    assert track_run(tracked(facts), tmp_path), "a second run joins the first one's experiment"

    client = MlflowClient(tracking_uri=store_uri(tracked(facts).recipe))
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2
    run = runs[0]
    assert (run.info.run_name, run.info.status) == (facts.run, "FINISHED")
    assert run.data.params["training.max_steps"] == "40"
    seen = [run.data.metrics[f"tuned/execution{end}"] for end in ("", "_low", "_high", "_n")]
    assert seen == pytest.approx([0.75, 0.505, 0.898, 16], abs=1e-3)
    assert run.data.metrics["gain/execution"] == pytest.approx(0.625)
    assert run.data.tags["digest.dataset"] == facts.dataset.digest
    assert [point.step for point in client.get_metric_history(run.info.run_id, "training/loss")] == [*range(1, 21)]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"report.html", "recipe.yaml", "scores.json"}
    assert home in Path(experiment.artifact_location.removeprefix("file://")).parents, "not in the folder one stands in"


def test_a_server_that_is_away_is_a_warning(
    facts: RunFacts, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with heard(caplog):
            assert not track_run(tracked(facts, f"http://127.0.0.1:{unused.getsockname()[1]}"), tmp_path)
    assert "the run could not be written into MLflow" in caplog.text


def test_without_mlflow_the_warning_says_how_to_get_it(
    facts: RunFacts, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with heard(caplog):
        assert not track_run(tracked(facts), tmp_path)
    assert "pip install 'finetune-flows[tracking]'" in caplog.text


def test_nothing_is_written_unless_the_recipe_says_so(facts: RunFacts, home: Path, tmp_path: Path) -> None:
    assert not track_run(facts, tmp_path)
    assert not (home / "mlflow").exists()


def test_the_champion_is_told_where_it_was_judged(facts: RunFacts) -> None:
    names = {name for name, _, _ in metrics(facts)}
    assert not any("champion" in name for name in names)
    assert "base/latency_p95_seconds" in names
    beside = replace(facts, champion=facts.base, champion_comparisons=facts.comparisons)
    assert {name for name, _, _ in metrics(beside)} - names >= {
        "champion/execution_low",
        "gain_over_champion/execution",
    }


def test_parameters_are_the_whole_recipe_and_tags_the_decision(facts: RunFacts) -> None:
    found = parameters(facts.recipe)
    assert found["problem.judging.databases"] == "5"
    assert found["platform.kind"] == "process"
    assert tags(replace(facts, decision="refused"))["promoted"] == "false"


@pytest.mark.parametrize("uri", ["http://me:secret@mlflow:5000", "mlflow"])
def test_a_uri_is_an_address_and_holds_no_password(uri: str) -> None:
    with pytest.raises(ValidationError, match="uri"):
        TrackingSection(to="mlflow", uri=uri)
