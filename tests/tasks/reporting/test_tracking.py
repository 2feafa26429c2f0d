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
from finetune_flows.tasks.reporting.watching import tell_watchers, watched_by
from finetune_flows.tasks.track import track_live, track_run


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
    assert track_run(replace(tracked(facts), run="another"), tmp_path), "a second run joins the first one's experiment"

    client = MlflowClient(tracking_uri=store_uri(tracked(facts).recipe))
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2
    [run] = [each for each in runs if each.info.run_name == facts.run]
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


def test_losses_arrive_while_the_run_goes_on_and_the_end_completes_the_same_entry(
    facts: RunFacts, home: Path, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    recipe, folder = tracked(facts).recipe, tmp_path / facts.run
    with watched_by(*track_live(recipe, folder)):
        for number in (1, 2):
            tell_watchers({"step": str(number), "steps": "2", "loss": str(3 - number), "tokens_per_second": "170"})
    client = MlflowClient(tracking_uri=store_uri(recipe))
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "RUNNING"
    assert run.data.params["training.max_steps"] == "40"
    assert [point.value for point in client.get_metric_history(run.info.run_id, "training/loss")] == [2.0, 1.0]

    assert track_run(tracked(facts), tmp_path)
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.tags["promoted"] == "true"
    assert len(client.get_metric_history(run.info.run_id, "training/loss")) == 2, "none is written twice"


def test_a_failed_run_is_there_with_its_error(facts: RunFacts, home: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    recipe = tracked(facts).recipe
    with pytest.raises(RuntimeError), watched_by(*track_live(recipe, tmp_path / "failing")):
        raise RuntimeError("no memory left")
    client = MlflowClient(tracking_uri=store_uri(recipe))
    [experiment] = [each for each in client.search_experiments() if each.name == "demo"]
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert run.data.tags["mlflow.note.content"] == "RuntimeError: no memory left"


def test_a_store_that_fails_is_a_warning_and_not_asked_again(
    facts: RunFacts, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [live] = track_live(tracked(facts).recipe, tmp_path / "run")
    with heard(caplog):
        for _ in range(2):
            live.trained({"step": "1", "steps": "2", "loss": "no number"})
    said = {id(record) for record in caplog.records if "no longer written into MLflow" in record.getMessage()}
    assert len(said) == 1
