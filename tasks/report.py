"""Artifacts of a run in the Prefect UI. Each is a pure function that returns Markdown, and a publisher that may fail."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.markdown import table
from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.evaluation.files import Evaluations, read_scores, read_wrong_answers
from finetune_flows.tasks.evaluation.registry import Entry
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.problems.wrong_answers import wrong_answers_page
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.dataset_card import dataset_card
from finetune_flows.tasks.reporting.evaluation_card import endpoint_report, evaluation_report
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.live import REPORT, LivePage
from finetune_flows.tasks.reporting.monitoring_card import monitoring_card
from finetune_flows.tasks.reporting.run_cards import cost_card, deployment_card, training_card
from finetune_flows.tasks.reporting.tuning_card import tuning_card, tuning_page
from finetune_flows.tasks.reporting.words import gain, percent
from finetune_flows.tasks.tuning.trials import Tuned

WRONG_ANSWERS_SHOWN = 20
KEYS = {
    "dataset-card": "Rows used and left out, the splits, and lengths in tokens.",
    "training-report": "Loss, settings and speed of the training.",
    "deployment": "Address of the candidate, its expiry, and how to call it.",
    "evaluation-report": "Scores of base, candidate and champion on the same rows, with intervals.",
    "wrong-answers": "Wrong answers next to the right ones.",
    "gate-decision": "Whether the candidate may serve, and why.",
    "cost": "Hours of each step, and where the report is.",
}
"""Keys of the cards of finetune, with what each shows. They must not change: a key is one collection of versions in the UI."""
OTHER_KEYS = {
    "report": "The report of the run. It is live while the run lasts.",
    "endpoint-scores": "Scores of one endpoint, with intervals.",
    "monitoring": "Requests, errors and latency since the last look, and broken limits.",
    "tuning": "All trials of a search, the best first.",
}


def publish_dataset(dataset: Reference) -> None:
    """The dataset card."""
    audit = dataset.path / "audit.json"
    _publish("dataset-card", lambda: dataset_card(DatasetAudit.model_validate_json(audit.read_text(encoding="utf-8"))))


def publish_training(recipe: Recipe, model: Reference) -> None:
    """The loss curve, and what training.json says."""
    report, unit = model.path / "training.json", recipe.problem.loss_unit
    _publish("training-report", lambda: training_card(json.loads(report.read_text(encoding="utf-8")), model, unit))


def publish_evaluation(recipe: Recipe, evaluations: Evaluations) -> None:
    """The scores of the models, side by side, and some answers that the tuned model got wrong."""
    _publish(
        "evaluation-report", lambda: evaluation_report(recipe.problem, recipe.metric, evaluations.read(recipe.problem))
    )
    _publish("wrong-answers", lambda: _wrong_answers(evaluations.candidate))


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
    """Writes the page of a search into the run's folder; `study`: folder of the search. None if that failed."""
    return _save(folder / "report.html", "report", lambda: tuning_page(tuned, study))


def publish_decision(recipe: str, decision: str, reasons: list[str]) -> None:
    """What the gate decided, and why."""
    verdict = decision if decision == "passed" else f"{decision}. The champion, if there is one, keeps serving"
    _publish("gate-decision", lambda: f"# {recipe}: {verdict}\n\n" + "".join(f"- {reason}\n" for reason in reasons))


def publish_deployment(recipe: Recipe, endpoint: Endpoint, model: Reference) -> None:
    """Where the candidate serves."""
    _publish("deployment", lambda: deployment_card(recipe, endpoint, model))


def save_report(folder: Path, facts: RunFacts) -> Path | None:
    """Writes the page of the run and its model card into the run's folder. Returns the page; None if it failed."""
    # Imported here: what these two need, a run needs only at its end.
    from finetune_flows.tasks.reporting.model_card import model_card
    from finetune_flows.tasks.reporting.page import report_page

    # Not into the model's folder: its digest covers what was trained, and the scores came later.
    _save(folder / "model_card.md", "model card", lambda: model_card(facts))
    return _save(folder / REPORT, "report", lambda: report_page(facts))


def _save(path: Path, what: str, render: Callable[[], str]) -> Path | None:
    try:
        path.write_text(render(), encoding="utf-8")
    except Exception as error:
        log.warning("the %s could not be written: %s", what, error)
        return None
    return path


def begin_report(folder: Path, recipe: Recipe) -> LivePage:
    """Writes the page of a run that begins, says where it is, and links to it in the UI.

    The link needs something that serves the folders of runs, at the address in FINETUNE_REPORTS_URL.
    """
    page = LivePage.begin(folder, recipe)
    log.info("report, live while it trains: %s", (folder / REPORT).as_uri())
    served = os.environ.get("FINETUNE_REPORTS_URL")
    if served and FlowRunContext.get() is not None:
        try:
            link = f"{served.rstrip('/')}/{folder.name}/{REPORT}"
            create_link_artifact(link, link_text="Open the report", key="report", description=OTHER_KEYS["report"])
        except Exception as error:
            log.warning("the artifact report could not be created: %s", error)
    return page


def publish_cost(facts: RunFacts, page: Path | None) -> None:
    """The hours of each step, and where the report of the run is."""
    from finetune_flows.tasks.reporting.page import cost_of

    _publish("cost", lambda: cost_card(cost_of(facts), str(page) if page else None))


def approval_question(recipe: str, entry: Entry) -> str:
    """Markdown above the form in which a person approves or rejects a model."""
    decision = entry.decision
    lines = [
        f"### May model {entry.model.digest[:8]} of {recipe} serve?",
        "",
        f"Decision of the gate: **{decision.outcome}**.",
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
    return "\n".join([*lines, "", f"All wrong answers: {entry.evaluation.uri}/wrong_answers.md"])


def _wrong_answers(evaluation: Reference) -> str:
    scores = read_scores(evaluation)
    page = wrong_answers_page(read_wrong_answers(evaluation), scores.n - scores.not_evaluable, WRONG_ANSWERS_SHOWN)
    return f"{page}\nAll of them: `{evaluation.uri}/wrong_answers.md`"


def _publish(key: str, render: Callable[[], str]) -> None:
    """Creates the artifact. If that fails, it logs a warning: a report must not fail the run that it describes."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    try:
        create_markdown_artifact(
            f"{render()}\n\n{_links(context.flow_run.id)}", key=key, description=(KEYS | OTHER_KEYS)[key]
        )
    except Exception as error:
        log.warning("the artifact %s could not be created: %s", key, error)


def _links(flow_run: UUID) -> str:
    """Links to the run and to the latest cards of all runs; nothing if the address of the UI is unknown."""
    ui = get_current_settings().ui_url
    if not ui:
        return ""
    pages = " · ".join(f"[{key.replace('-', ' ')}]({ui}/artifacts/key/{key})" for key in KEYS)
    return f"---\n[This run]({ui}/runs/flow-run/{flow_run}?tab=Artifacts). Latest of all runs: {pages}"
