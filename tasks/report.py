"""What the Prefect UI shows of a run. Each artifact is a pure function to markdown and a publisher that may fail."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings

from tasks.artifacts.references import Reference
from tasks.artifacts.registry import Entry
from tasks.dataset.audit import DatasetAudit
from tasks.dataset.card import dataset_card
from tasks.evaluation.classification.page import details_page
from tasks.evaluation.files import Evaluation, read_evaluation, read_scores, read_wrong_answers
from tasks.evaluation.markdown import plain
from tasks.evaluation.scores import Estimate, Scores
from tasks.evaluation.statistics import Comparison, Proportion
from tasks.monitoring.card import monitoring_card
from tasks.monitoring.window import Window
from tasks.platforms.contract import Endpoint
from tasks.problems.wrong_answers import wrong_answers_page
from tasks.progress import log
from tasks.reporting.facts import RunFacts
from tasks.reporting.markdown import cost_card, deployment_card, training_card
from tasks.tuning.page import tuning_card, tuning_page
from tasks.tuning.trials import Tuned

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
"""Stable: each is one collection in the UI, with a version for every run. What each shows, in a line."""


def publish_dataset(dataset: Reference) -> None:
    """The dataset card."""
    audit = dataset.path / "audit.json"
    _publish("dataset-card", lambda: dataset_card(DatasetAudit.model_validate_json(audit.read_text(encoding="utf-8"))))


def publish_training(model: Reference) -> None:
    """The loss curve, and what training.json says."""
    report = model.path / "training.json"
    _publish("training-report", lambda: training_card(json.loads(report.read_text(encoding="utf-8")), model))


def publish_evaluation(metric: str, base: Reference, evaluation: Reference, champion: Reference | None) -> None:
    """The scores of the models, side by side, and some answers that the tuned model got wrong."""
    _publish("evaluation-report", lambda: evaluation_report(metric, read_evaluation(base, evaluation, champion)))
    _publish("wrong-answers", lambda: _wrong_answers(evaluation))


def publish_scores(endpoint: str, evaluation: Reference) -> None:
    """The scores of one endpoint, and some answers that it got wrong."""
    _publish("endpoint-scores", lambda: _endpoint_report(endpoint, read_scores(evaluation)))
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


def publish_deployment(endpoint: Endpoint, model: Reference, engine: str) -> None:
    """Where the candidate serves."""
    _publish("deployment", lambda: deployment_card(endpoint, model, engine))


def save_report(folder: Path, facts: RunFacts) -> Path | None:
    """The page of the run and its model card, in the run's folder. Returns the page; None when it could not be written."""
    from tasks.reporting.model_card import model_card
    from tasks.reporting.page import report_page  # what these need, a run needs only at its end

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
    from tasks.reporting.page import cost_of

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
    lines += ["", _row("model", [decision.metric]), _row("---", ["---"])]
    lines += [_row("base", [percent(decision.base)]), _row("tuned", [percent(decision.tuned)]), ""]
    lines += [f"Gain: {gain(decision.comparison)}.", ""]
    ui = get_current_settings().ui_url
    if ui:
        pages = ("evaluation-report", "wrong-answers")
        lines.append(" · ".join(f"[{key.replace('-', ' ')}]({ui}/artifacts/key/{key})" for key in pages))
    return "\n".join([*lines, "", f"Wrong answers as a file: {entry.evaluation.uri}/wrong_answers.md"])


def evaluation_report(metric: str, evaluation: Evaluation) -> str:
    """Markdown: every metric of each model with its 95 % interval, what is wrong with the answers, then the slices."""
    base, tuned, champion = evaluation.base, evaluation.tuned, evaluation.champion
    models = [base, tuned, champion] if champion else [base, tuned]
    lines = ["# Evaluation", "", *_side_by_side(models, metric), ""]
    lines += _gain(metric, f"the {base.who}", evaluation.comparisons[metric])
    if champion:
        lines += _gain(metric, "the champion", evaluation.champion_comparisons[metric])
    if tuned.not_evaluable:
        lines += [f"Of {tuned.n} rows {tuned.not_evaluable} cannot be judged by execution.", ""]
    lines += details_page(tuned.details)
    lines += ["## Verdicts", "", *_counts("verdict", models, [each.kinds for each in models]), ""]
    lines += [
        "## Differences of wrong answers",
        "",
        *_counts("difference", models, [each.differences for each in models]),
        "",
    ]
    for division, parts in tuned.slices.items():
        if len(parts) > 1:
            lines += [f"## {metric} by {plain(division)}", "", *_by_part(metric, division, parts, models), ""]
    return "\n".join(lines)


def _endpoint_report(endpoint: str, scores: Scores) -> str:
    lines = [f"| {name} | {percent(score)} |" for name, score in scores.metrics.items()]
    return "\n".join([f"# {plain(endpoint)}", "", "| metric | score |", "| --- | --- |", *lines])


def _wrong_answers(evaluation: Reference) -> str:
    scores = read_scores(evaluation)
    page = wrong_answers_page(read_wrong_answers(evaluation), scores.n - scores.not_evaluable, WRONG_ANSWERS_SHOWN)
    return f"{page}\nAll of them: `{evaluation.uri}/wrong_answers.md`"


def _gain(metric: str, whom: str, comparison: Comparison) -> list[str]:
    lines = [f"Gain in {metric} beside {plain(whom)}: {gain(comparison)}.", ""]
    return [*lines, f"By resampling: {resampled(comparison)}.", ""] if comparison.bootstrap else lines


def _side_by_side(models: Sequence[Scores], metric: str) -> list[str]:
    """A column for each model; the rows are those of the tuned model, the second."""
    lines = _head("metric", models)
    for name in models[1].metrics:
        shown = f"**{name}**" if name == metric else name
        lines.append(_row(shown, [percent(scores.metrics.get(name)) for scores in models]))
    for name in models[1].estimates:
        lines.append(_row(name, [estimated(scores.estimates.get(name)) for scores in models]))
    return lines


def _counts(title: str, models: Sequence[Scores], counts: Sequence[dict[str, int]]) -> list[str]:
    names = dict.fromkeys([*counts[1], *counts[0], *counts[-1]])
    return [*_head(title, models), *(_row(name, [str(count.get(name, 0)) for count in counts]) for name in names)]


def _by_part(metric: str, division: str, parts: Iterable[str], models: Sequence[Scores]) -> list[str]:
    found = [scores.slices.get(division, {}) for scores in models]
    rows = [_row(plain(part), [percent(slices.get(part, {}).get(metric)) for slices in found]) for part in parts]
    return [*_head("part", models), *rows]


def _head(title: str, models: Sequence[Scores]) -> list[str]:
    return [_row(title, [plain(scores.who) for scores in models]), _row("---", ["---"] * len(models))]


def _row(first: str, others: Sequence[str]) -> str:
    return f"| {' | '.join([first, *others])} |"


def percent(score: Proportion | None) -> str:
    """`62.5 % (48.4 to 74.8, n = 48)`."""
    if score is None or score.n == 0:
        return "no rows"
    return with_interval(score).removesuffix(")") + f", n = {score.n})"


def with_interval(score: Proportion) -> str:
    """`62.5 % (48.4 to 74.8)`, for a table that has a column for n."""
    return f"{score.value * 100:.1f} % ({score.low * 100:.1f} to {score.high * 100:.1f})"


def estimated(score: Estimate | None) -> str:
    """`0.812 (0.770 to 0.851, n = 500)`."""
    return "" if score is None else f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f}, n = {score.n})"


def gain(comparison: Comparison) -> str:
    """`+60.0 points (45.1 to 74.9), McNemar p = 1e-8, n = 48`."""
    points = f"{comparison.difference * 100:+.1f} points ({comparison.low * 100:+.1f} to {comparison.high * 100:+.1f})"
    return f"{points}, McNemar p = {comparison.p_value:.2g}, n = {comparison.n}"


def resampled(comparison: Comparison) -> str:
    """`+44.1 to +75.9 points (5,000 draws; 38 schemas, drawn whole)`."""
    drawn = comparison.bootstrap
    if drawn is None:
        return "too few rows"
    what = f"{drawn.groups:,} schemas, drawn whole" if drawn.drawn == "groups" else "rows, drawn one by one"
    return f"{drawn.low * 100:+.1f} to {drawn.high * 100:+.1f} points ({drawn.resamples:,} draws; {what})"


def _publish(key: str, render: Callable[[], str]) -> None:
    """A report that cannot be drawn must not fail the run that it reports on."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    try:
        create_markdown_artifact(f"{render()}\n\n{_links(context.flow_run.id)}", key=key, description=KEYS.get(key))
    except Exception as error:
        log.warning("the artifact %s could not be written: %s", key, error)


def _links(flow_run: UUID) -> str:
    """To the run, and to the same pages of other runs; nothing where it is not known where the UI is."""
    ui = get_current_settings().ui_url
    if not ui:
        return ""
    pages = " · ".join(f"[{key.replace('-', ' ')}]({ui}/artifacts/key/{key})" for key in KEYS)
    return f"---\n[This run]({ui}/runs/flow-run/{flow_run}?tab=Artifacts). Newest of all runs: {pages}"
