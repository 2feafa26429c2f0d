"""What the Prefect UI shows of a run. Each artifact is a pure function to markdown and a publisher that may fail."""

import json
from collections.abc import Callable
from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext

from tasks.artifacts.references import Reference
from tasks.dataset.audit import DatasetAudit
from tasks.dataset.card import dataset_card
from tasks.evaluate import compare_evaluations, read_scores
from tasks.evaluation.scores import Scores
from tasks.evaluation.statistics import Comparison, Proportion
from tasks.progress import log


def publish_dataset(dataset: Reference) -> None:
    """The dataset card."""
    audit = DatasetAudit.model_validate_json((dataset.path / "audit.json").read_text(encoding="utf-8"))
    _publish("dataset-card", lambda: dataset_card(audit))


def publish_training(model: Reference) -> None:
    """What training.json says."""
    report = json.loads((model.path / "training.json").read_text(encoding="utf-8"))
    _publish("training-report", lambda: training_report(report, model))


def publish_evaluation(metric: str, base: Reference, evaluation: Reference) -> None:
    """The scores of both models, side by side."""
    comparison = compare_evaluations(metric, base, evaluation)
    _publish(
        "evaluation-report", lambda: evaluation_report(metric, read_scores(base), read_scores(evaluation), comparison)
    )


def publish_scores(endpoint: str, scores: Scores) -> None:
    """The scores of one endpoint."""
    lines = [f"| {name} | {percent(score)} |" for name, score in scores.metrics.items()]
    _publish("endpoint-scores", lambda: "\n".join([f"# {endpoint}", "", "| metric | score |", "| --- | --- |", *lines]))


def publish_decision(recipe: str, promoted: bool, reasons: list[str]) -> None:
    """What the gate decided, and why."""
    verdict = "promoted" if promoted else "refused: the champion, if there is one, serves on"
    _publish("gate-decision", lambda: f"# {recipe}: {verdict}\n\n" + "".join(f"- {reason}\n" for reason in reasons))


def training_report(report: dict[str, Any], model: Reference) -> str:
    """Markdown of the parts of training.json that a person wants first."""
    facts = {name: value for name, value in report.items() if isinstance(value, str | int | float)}
    lines = [f"| {name.replace('_', ' ')} | {_plain(value)} |" for name, value in facts.items()]
    return "\n".join(["# Training", "", "| | |", "| --- | --- |", *lines, "", f"Model: `{model.uri}`"])


def evaluation_report(metric: str, base: Scores, tuned: Scores, comparison: Comparison) -> str:
    """Markdown: every metric of both models with its 95 % interval, then the slices."""
    lines = ["# Evaluation", "", "| metric | base model | tuned model |", "| --- | --- | --- |"]
    for name in tuned.metrics:
        shown = f"**{name}**" if name == metric else name
        lines.append(f"| {shown} | {percent(base.metrics.get(name))} | {percent(tuned.metrics[name])} |")
    lines += ["", f"Gain in {metric}: {gain(comparison)}.", ""]
    for value, metrics in tuned.slices.items():
        lines += [f"## {value}", "", "| metric | base model | tuned model |", "| --- | --- | --- |"]
        before = base.slices.get(value, {})
        lines += [f"| {name} | {percent(before.get(name))} | {percent(score)} |" for name, score in metrics.items()]
    return "\n".join(lines)


def percent(score: Proportion | None) -> str:
    """`62.5 % (48.4 to 74.8, n = 48)`."""
    if score is None or score.n == 0:
        return "no rows"
    return with_interval(score).removesuffix(")") + f", n = {score.n})"


def with_interval(score: Proportion) -> str:
    """`62.5 % (48.4 to 74.8)`, for a table that has a column for n."""
    return f"{score.value * 100:.1f} % ({score.low * 100:.1f} to {score.high * 100:.1f})"


def gain(comparison: Comparison) -> str:
    """`+60.0 points (45.1 to 74.9), McNemar p = 1e-8, n = 48`."""
    points = f"{comparison.difference * 100:+.1f} points ({comparison.low * 100:+.1f} to {comparison.high * 100:+.1f})"
    return f"{points}, McNemar p = {comparison.p_value:.2g}, n = {comparison.n}"


def _plain(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _publish(key: str, render: Callable[[], str]) -> None:
    """A report that cannot be drawn must not fail the run that it reports on."""
    if FlowRunContext.get() is None:
        return
    try:
        create_markdown_artifact(render(), key=key)
    except Exception as error:
        log.warning("the artifact %s could not be written: %s", key, error)
