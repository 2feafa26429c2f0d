"""The results of an evaluation, in Markdown."""

from collections.abc import Iterable, Mapping, Sequence

from finetune_flows.tasks.base.markdown import plain, table
from finetune_flows.tasks.base.statistics import Comparison, Estimate
from finetune_flows.tasks.evaluation.files import Evaluation
from finetune_flows.tasks.evaluation.scores import Scores
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.reporting.words import estimated, gain, percent, resampled


def evaluation_report(problem: Problem, metric: str, evaluation: Evaluation) -> str:
    """Every metric of each model with its 95 % interval, the errors in the answers, and scores by part of the rows."""
    base, tuned, champion = evaluation.base, evaluation.tuned, evaluation.champion
    models = [base, tuned, champion] if champion else [base, tuned]
    lines = ["# Evaluation", ""]
    if judged := problem.how_judged(tuned.rows_by_part):
        lines += [plain(judged), ""]
    lines += [*_side_by_side(models, metric), ""]
    lines += _gain(metric, f"the {base.who}", evaluation.comparisons[metric])
    lines += _differences(f"the {base.who}", evaluation.differences)
    if champion:
        lines += _gain(metric, "the champion", evaluation.champion_comparisons[metric])
        lines += _differences("the champion", evaluation.champion_differences)
    if tuned.not_evaluable:
        lines += [f"{tuned.not_evaluable} of {tuned.n} rows cannot be judged by execution.", ""]
    lines += problem.details_page(tuned.details)
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


def endpoint_report(endpoint: str, scores: Scores) -> str:
    """Every score of one endpoint."""
    rows = [(name, percent(score)) for name, score in scores.metrics.items()]
    return "\n".join([f"# {plain(endpoint)}", "", *table(["metric", "score"], rows)])


def _gain(metric: str, whom: str, comparison: Comparison) -> list[str]:
    lines = [f"Gain in {metric} against {plain(whom)}: {gain(comparison)}.", ""]
    return [*lines, f"By resampling: {resampled(comparison)}.", ""] if comparison.bootstrap else lines


def _differences(whom: str, found: Mapping[str, Estimate]) -> list[str]:
    """The paired differences in the scores that are no shares of rows."""
    if not found:
        return []
    rows = [(name, f"{each.value:+.3f} ({each.low:+.3f} to {each.high:+.3f})") for name, each in found.items()]
    return [*table(["score", f"difference from {plain(whom)}"], rows), ""]


def _side_by_side(models: Sequence[Scores], metric: str) -> list[str]:
    """A table with a column for each model. Its rows are the scores of the tuned model, the second one."""
    rows = [
        [f"**{name}**" if name == metric else name, *(percent(scores.metrics.get(name)) for scores in models)]
        for name in models[1].metrics
    ]
    rows += [[name, *(estimated(scores.estimates.get(name)) for scores in models)] for name in models[1].estimates]
    return table(_head("metric", models), rows)


def _counts(title: str, models: Sequence[Scores], counts: Sequence[dict[str, int]]) -> list[str]:
    names = dict.fromkeys([*counts[1], *counts[0], *counts[-1]])
    return table(_head(title, models), [[name, *(str(count.get(name, 0)) for count in counts)] for name in names])


def _by_part(metric: str, division: str, parts: Iterable[str], models: Sequence[Scores]) -> list[str]:
    found = [scores.slices.get(division, {}) for scores in models]
    rows = [[plain(part), *(percent(slices.get(part, {}).get(metric)) for slices in found)] for part in parts]
    return table(_head("part", models), rows)


def _head(title: str, models: Sequence[Scores]) -> list[str]:
    return [title, *(plain(scores.who) for scores in models)]
