"""What the Prefect UI shows of a run. Each artifact is a pure function to markdown and a publisher that may fail."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.markdown import table
from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.evaluation.files import read_evaluation, read_scores, read_wrong_answers
from finetune_flows.tasks.evaluation.registry import Entry
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.problems.wrong_answers import wrong_answers_page
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.dataset_card import dataset_card
from finetune_flows.tasks.reporting.evaluation_card import endpoint_report, evaluation_report
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.monitoring_card import monitoring_card
from finetune_flows.tasks.reporting.run_cards import cost_card, deployment_card, training_card
from finetune_flows.tasks.reporting.tuning_card import tuning_card, tuning_page
from finetune_flows.tasks.reporting.words import gain, percent
from finetune_flows.tasks.tuning.trials import Tuned

WRONG_ANSWERS_SHOWN = 20
KEYS = {
    "dataset-card": "What the rows became: used, left out, split, and how long they are.",
    "training-report": "Loss, settings and speed of the training.",
    "deployment": "Where the candidate serves, until when, and how to call it.",
    "evaluation-report": "Scores of base, candidate and champion on the same rows, with intervals.",
    "wrong-answers": "Wrong answers beside the right ones.",
    "gate-decision": "Whether the candidate may serve, and why.",
    "cost": "Time and money, and where the report is.",
}
"""The cards of finetune, and what each shows. Stable: each is one collection in the UI, with a version for every run."""
OTHER_KEYS = {
    "endpoint-scores": "Scores of one endpoint, with intervals.",
    "monitoring": "Requests, errors and latency since the last look, and the limits that are broken.",
    "tuning": "All trials of a search, the best first.",
}


def publish_dataset(dataset: Reference) -> None:
    """The dataset card."""
    audit = dataset.path / "audit.json"
    _publish("dataset-card", lambda: dataset_card(DatasetAudit.model_validate_json(audit.read_text(encoding="utf-8"))))


def publish_training(model: Reference) -> None:
    """The loss curve, and what training.json says."""
    report = model.path / "training.json"
    _publish("training-report", lambda: training_card(json.loads(report.read_text(encoding="utf-8")), model))


def publish_evaluation(recipe: Recipe, base: Reference, evaluation: Reference, champion: Reference | None) -> None:
    """The scores of the models, side by side, and some answers that the tuned model got wrong."""

    def page() -> str:
        return evaluation_report(recipe.problem, recipe.metric, read_evaluation(base, evaluation, champion))

    _publish("evaluation-report", page)
    _publish("wrong-answers", lambda: _wrong_answers(evaluation))


def publish_scores(endpoint: str, evaluation: Reference) -> None:
    """The scores of one endpoint, and some answers that it got wrong."""
    _publish("endpoint-scores", lambda: endpoint_report(endpoint, read_scores(evaluation)))
    _publish("wrong-answers", lambda: _wrong_answers(evaluation))


def publish_monitoring(recipe: str, windows: list[Window], broken: dict[str, list[str]]) -> None:
    """What the endpoints of a recipe did since the last look, and the limits that they break."""
    _publish("monitoring", lambda: monitoring_card(recipe, windows, broken))


def publish_tuning(tuned: Tuned) -> None:
    """All trials of a search, the best first."""
    _publish("tuning", lambda: tuning_card(tuned))


def save_tuning(folder: Path, tuned: Tuned, study: Path) -> Path | None:
    """The page of a search, in the run's folder; `study` is the folder of the search. None when it could not be written."""
    return _save(folder / "report.html", "report", lambda: tuning_page(tuned, study))


def publish_decision(recipe: str, decision: str, reasons: list[str]) -> None:
    """What the gate decided, and why."""
    verdict = decision if decision == "passed" else f"{decision}: the champion, if there is one, serves on"
    _publish("gate-decision", lambda: f"# {recipe}: {verdict}\n\n" + "".join(f"- {reason}\n" for reason in reasons))


def publish_deployment(recipe: Recipe, endpoint: Endpoint, model: Reference) -> None:
    """Where the candidate serves."""
    _publish("deployment", lambda: deployment_card(recipe, endpoint, model))


def save_report(folder: Path, facts: RunFacts) -> Path | None:
    """The page of the run and its model card, in the run's folder. Returns the page; None when it could not be written."""
    from finetune_flows.tasks.reporting.model_card import model_card
    from finetune_flows.tasks.reporting.page import report_page  # what these need, a run needs only at its end

    # Not into the model itself: its digest says what was trained, and the scores came later.
    _save(folder / "model_card.md", "model card", lambda: model_card(facts))
    return _save(folder / "report.html", "report", lambda: report_page(facts))


def _save(path: Path, what: str, render: Callable[[], str]) -> Path | None:
    try:
        path.write_text(render(), encoding="utf-8")
    except Exception as error:
        log.warning("the %s could not be written: %s", what, error)
        return None
    return path


def publish_cost(facts: RunFacts, page: Path | None) -> None:
    """The hours of each step, and where the report of the run is."""
    from finetune_flows.tasks.reporting.page import cost_of

    _publish("cost", lambda: cost_card(cost_of(facts), str(page) if page else None))


def approval_question(recipe: str, entry: Entry) -> str:
    """Markdown above the form by which a person approves or rejects."""
    decision = entry.decision
    lines = [
        f"### May model {entry.model.digest[:8]} of {recipe} serve?",
        "",
        f"The gate says: **{decision.outcome}**.",
        "",
    ]
    lines += [f"- {reason}" for reason in decision.reasons]
    rows = [("base", percent(decision.base)), ("tuned", percent(decision.tuned))]
    lines += ["", *table(["model", decision.metric], rows), ""]
    lines += [f"Gain: {gain(decision.comparison)}.", ""]
    ui = get_current_settings().ui_url
    if ui:
        pages = ("evaluation-report", "wrong-answers")
        lines.append(" · ".join(f"[{key.replace('-', ' ')}]({ui}/artifacts/key/{key})" for key in pages))
    return "\n".join([*lines, "", f"Wrong answers as a file: {entry.evaluation.uri}/wrong_answers.md"])


def _wrong_answers(evaluation: Reference) -> str:
    scores = read_scores(evaluation)
    page = wrong_answers_page(read_wrong_answers(evaluation), scores.n - scores.not_evaluable, WRONG_ANSWERS_SHOWN)
    return f"{page}\nAll of them: `{evaluation.uri}/wrong_answers.md`"


def _publish(key: str, render: Callable[[], str]) -> None:
    """A report that cannot be drawn must not fail the run that it reports on."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    try:
        create_markdown_artifact(
            f"{render()}\n\n{_links(context.flow_run.id)}", key=key, description=(KEYS | OTHER_KEYS)[key]
        )
    except Exception as error:
        log.warning("the artifact %s could not be written: %s", key, error)


def _links(flow_run: UUID) -> str:
    """To the run, and to the same pages of other runs; nothing where it is not known where the UI is."""
    ui = get_current_settings().ui_url
    if not ui:
        return ""
    pages = " · ".join(f"[{key.replace('-', ' ')}]({ui}/artifacts/key/{key})" for key in KEYS)
    return f"---\n[This run]({ui}/runs/flow-run/{flow_run}?tab=Artifacts). Newest of all runs: {pages}"
