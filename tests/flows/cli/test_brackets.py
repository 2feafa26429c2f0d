"""Texts that Rich would read as markup come out of every command as they went in."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.markdown import Markdown

from finetune_flows.flows.cli import app, common, setup_aws, upkeep
from finetune_flows.flows.cli.champions import history
from finetune_flows.flows.cli.plan import plan, show_plan
from finetune_flows.flows.cli.run import show_outcome
from finetune_flows.flows.cli.tune import show_tuned
from finetune_flows.flows.finetune import Outcome
from finetune_flows.tasks.artifacts.references import Kind, Reference
from finetune_flows.tasks.artifacts.runs import end_run, start_run
from finetune_flows.tasks.aws.setup import Found, SetUp
from finetune_flows.tasks.aws.stack import Change
from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.evaluation.scores import About, summarise
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.plan import Made
from finetune_flows.tasks.preflight.costs import Cost, Estimate
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.preflight.intent import Request
from finetune_flows.tasks.preflight.look_ahead import Report
from finetune_flows.tasks.preflight.prices import Price
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.recipe import load_recipe
from finetune_flows.tasks.reporting.monitoring_card import monitoring_card
from finetune_flows.tasks.tuning.trials import TrialFacts, Tuned

NOW = datetime(2026, 11, 28, tzinfo=UTC)
RECIPE = load_recipe(Path("recipes/demo.yaml"))
TEXTS = st.sampled_from(
    ["[old]", "[/old]", "[/]", ":cat:", "[@click=x]y[/]", "finetune-flows[sagemaker]", "\\[bold]"]
) | (st.text("[]/\\:=@#() abold", min_size=1).map(lambda text: f"<{text}>"))
many = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _wide_and_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is too narrow for a text would break it into lines."""
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    for console in (common.out, common.err):
        monkeypatch.setattr(console, "_width", 5_000)


def printed(show: Callable[[], object]) -> str:
    with common.out.capture() as captured:
        show()
    return captured.get()


def printed_before_exit(command: Callable[[], None]) -> str:
    def run() -> None:
        with pytest.raises(typer.Exit):
            command()

    return printed(run)


def reference(folder: Path, kind: Kind) -> Reference:
    folder.mkdir(parents=True, exist_ok=True)
    return Reference(kind=kind, uri=str(folder), digest="d" * 64, size=1, step_key="k")


def evaluation(who: str) -> Reference:
    """Of one row, which was answered well."""
    made = reference(home() / "evaluation", "evaluation")
    verdict = Verdict(id="1", slices={}, group="1", outcomes={"execution": True}, kind="right")
    answer = Answer(id="1", text="x", asked_at=1, latency_seconds=1)
    scores = summarise(Judged([verdict]), [answer], About(dataset_digest="dd", model_digest="d" * 64, who=who))
    (made.path / "scores.json").write_text(scores.model_dump_json(), encoding="utf-8")
    (made.path / "verdicts.jsonl").write_text(verdict.model_dump_json() + "\n", encoding="utf-8")
    return made


@many
@given(TEXTS)
def test_a_failure_is_told_word_for_word(text: str) -> None:
    def fail() -> None:
        raise EnvironmentProblem(text)

    with common.err.capture() as captured, pytest.raises(SystemExit):
        common.guarded(fail)
    assert captured.get() == f"finetune: {text}\n"


@many
@given(TEXTS)
def test_runs_shows_why_a_run_failed(text: str) -> None:
    folder = start_run(RECIPE, "1234567890")
    end_run(folder, f"failed: {text}")
    assert f"failed: {text} " in printed(upkeep.runs)


@many
@given(TEXTS)
def test_history_shows_the_reason_that_a_person_gave(text: str) -> None:
    Registry().reject("demo", reference(home() / "model", "model"), text)
    assert f"rejected: dddddddd  ({text})\n" in printed(lambda: history("demo"))


@many
@given(TEXTS)
def test_the_outcome_of_a_run_names_models_reasons_and_files(text: str) -> None:
    scores, made = evaluation(text), reference(home() / "model", "model")
    outcome = Outcome(
        recipe="demo", metric="execution", decision="refused", promoted=False, reasons=[text], base_model=made,
        dataset=made, model=made.model_copy(update={"uri": text}), base_evaluation=scores, evaluation=scores,
        champion_evaluation=None, report=text,
    )  # fmt: skip
    told = printed(lambda: show_outcome(outcome))
    assert f"┃ {text} " in told, "the head of the table"
    for line in (f"  {text}\n", f"Model          {text}\n", f"Report         {text}\n"):
        assert line in told


@many
@given(TEXTS)
def test_a_search_shows_the_values_that_it_tried(text: str) -> None:
    trial = TrialFacts(number=0, settings={text: text}, ending="completed", value=0.5, hours=1)
    tuned = Tuned(
        recipe="demo", metric=text, higher_is_better=True, validation_rows=9, trials=[trial], best=trial, hours=1,
        left_out=text, best_recipe=text, report=text,
    )  # fmt: skip
    told = printed(lambda: show_tuned(tuned))
    assert told.count(text) >= 7


@many
@given(TEXTS)
def test_a_plan_shows_findings_requests_and_costs(text: str) -> None:
    made = Made(references={"dataset": reference(home() / "d", "dataset").model_copy(update={"uri": text})})
    cost = Cost(what=text, instance_type=text, instances=1, hours=1, price=Price(usd_per_hour=1, source=text))
    report = Report(
        recipe=RECIPE, region="us-east-1", findings=[Finding(what=text, found=text, ok=False, advice=text)],
        requests=[Request(operation=text, members={"JobName": text})], estimate=Estimate(training=cost, endpoints=[cost]),
    )  # fmt: skip
    told = printed(lambda: show_plan(text, made.model_copy(update={"unknown": text}), report))
    assert told.count(text) >= 11


@many
@given(TEXTS)
def test_setting_up_an_account_shows_each_change(text: str) -> None:
    found = Found(part="bucket", name=text, state="not ours", says=text)
    change = Change(action=text, resource=text, kind=text, says=text)
    told = printed(lambda: setup_aws.show(text, SetUp([found], [change], None)))
    assert told.count(text) >= 7


@many
@given(TEXTS)
def test_a_look_at_endpoints_shows_what_is_wrong(text: str) -> None:
    window = Window(endpoint="demo-1", since=NOW, until=NOW, problem=text)
    told = printed(lambda: common.out.print(Markdown(monitoring_card("demo", [window], {"demo-1": [text]}))))
    assert told.count(" ".join(text.split())) == 2


def test_doctor_and_plan_say_what_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://[/old]:4200/api")
    missing = tmp_path / "[old]" / "model"
    with common.err.capture() as captured, pytest.raises(SystemExit):
        common.guarded(lambda: plan(Path("recipes/demo.yaml"), overrides=[f"model.source={missing}"]))
    assert f"model.source: {missing}: there is no such file" in captured.get()
    assert "http://[/old]:4200/api" in printed_before_exit(upkeep.doctor)


@pytest.mark.parametrize("arguments", [["--no-such-[old]"], ["runs", "[/old]"], ["no-[/old]"], ["data", "[x]"]])
def test_a_usage_error_repeats_what_was_typed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(arguments)
    assert arguments[-1] in capsys.readouterr().err


def test_json_is_what_was_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    end_run(start_run(RECIPE, "1234567890"), "[/old]")
    upkeep.runs(as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["result"] == "[/old]"
