"""Writing one finished run into MLflow: its settings, scores and report."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.statistics import Comparison, Estimate, Proportion
from finetune_flows.tasks.evaluation.scores import Scores
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.facts import RunFacts

Point = tuple[str, float, int]
"""Name, value and training step (0 for what has none) of a metric."""
_FILES = ("report.html", "model_card.md", "recipe.yaml", "evaluation.json")
_PARAMETERS_AT_ONCE, _POINTS_AT_ONCE, _LONGEST = 100, 1000, 6000  # MLflow's limits; the last in characters
# Send no usage statistics, and give up soon on a server that is down: MLflow would retry for minutes.
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


def track(facts: RunFacts, folder: Path) -> str:
    """Writes the run, with its files in `folder`, into the experiment named like the recipe. Returns the store's address.

    Raises:
        EnvironmentProblem: MLflow is not installed.
        mlflow.exceptions.MlflowException: the store cannot be reached, or refuses.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise EnvironmentProblem("MLflow is not installed: pip install 'finetune-flows[tracking]'") from error
    store = store_uri(facts.recipe)
    client = MlflowClient(tracking_uri=store)
    run = client.create_run(_experiment(client, facts.recipe), run_name=facts.run, tags=tags(facts)).info.run_id
    try:
        _write(client, run, facts, folder)
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)
    return store


def store_uri(recipe: Recipe) -> str:
    """The recipe's server, or a file on this machine."""
    return recipe.tracking.uri or f"sqlite:///{home() / 'mlflow' / 'mlflow.db'}"


def _experiment(client: Any, recipe: Recipe) -> str:
    found = client.get_experiment_by_name(recipe.name)
    if found is not None:
        return str(found.experiment_id)
    place = None if recipe.tracking.uri else (home() / "mlflow" / "artifacts" / recipe.name).as_uri()
    return str(client.create_experiment(recipe.name, artifact_location=place))


def _write(client: Any, run: str, facts: RunFacts, folder: Path) -> None:
    from mlflow.entities import Metric, Param

    known, now = [Param(name, value[:_LONGEST]) for name, value in parameters(facts.recipe).items()], _milliseconds()
    for start in range(0, len(known), _PARAMETERS_AT_ONCE):
        client.log_batch(run, params=known[start : start + _PARAMETERS_AT_ONCE])
    points = [Metric(_permitted(name), value, now, step) for name, value, step in metrics(facts)]
    for start in range(0, len(points), _POINTS_AT_ONCE):
        client.log_batch(run, metrics=points[start : start + _POINTS_AT_ONCE])
    for path in (*(folder / name for name in _FILES), facts.evaluation.path / "scores.json"):
        if path.exists():  # a report may be missing because it could not be written
            client.log_artifact(run, str(path))


def parameters(recipe: Recipe) -> dict[str, str]:
    """Every field of the resolved recipe by its dotted name, such as `training.epochs`."""
    return dict(_flat(recipe.model_dump(mode="json")))


def _flat(section: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in section.items():
        if isinstance(value, Mapping) and all(re.fullmatch(r"\w+", str(key)) for key in value):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", str(value)


def metrics(facts: RunFacts) -> list[Point]:
    """Scores and gains with their intervals, and losses by step."""
    points = [*_scores("tuned", facts.tuned), *_scores("base", facts.base), *_gains("gain", facts.comparisons)]
    points += _differences("gain", facts.differences)
    if facts.champion:
        points += [*_scores("champion", facts.champion), *_gains("gain_over_champion", facts.champion_comparisons)]
        points += _differences("gain_over_champion", facts.champion_differences)
    training = facts.training()
    return [*points, *_losses("training", training["losses"]), *_losses("validation", training["validation_losses"])]


def _scores(who: str, scores: Scores) -> Iterator[Point]:
    found: dict[str, Proportion | Estimate] = {**scores.metrics, **scores.estimates}
    for name, score in found.items():
        if score.n:
            yield from _interval(f"{who}/{name}", score.value, score.low, score.high)
            yield f"{who}/{name}_n", score.n, 0
    if scores.latency:
        yield f"{who}/latency_p50_seconds", scores.latency.p50, 0
        yield f"{who}/latency_p95_seconds", scores.latency.p95, 0


def _gains(name: str, comparisons: Mapping[str, Comparison]) -> Iterator[Point]:
    for metric, found in comparisons.items():
        yield from _interval(f"{name}/{metric}", found.difference, found.low, found.high)
        yield f"{name}/{metric}_p_value", found.p_value, 0


def _differences(name: str, found: Mapping[str, Estimate]) -> Iterator[Point]:
    for score, each in found.items():
        yield from _interval(f"{name}/{score}", each.value, each.low, each.high)


def _interval(name: str, value: float, low: float, high: float) -> Iterator[Point]:
    yield from ((name, value, 0), (f"{name}_low", low, 0), (f"{name}_high", high, 0))


def _losses(stage: str, entries: Sequence[Mapping[str, float]]) -> Iterator[Point]:
    for entry in entries:
        yield from ((f"{stage}/{name}", value, int(entry["step"])) for name, value in entry.items() if name != "step")


def tags(facts: RunFacts) -> dict[str, str]:
    """The digests of the run's artefacts, and the gate's decision with its reasons."""
    digests = {
        "base_model": facts.base_model,
        "dataset": facts.dataset,
        "model": facts.model,
        "base_evaluation": facts.base_evaluation,
        "evaluation": facts.evaluation,
    }
    return {f"digest.{name}": reference.digest for name, reference in digests.items()} | {
        "promoted": str(facts.promoted).lower(),
        "problem": facts.recipe.problem.kind,
        "platform": facts.recipe.platform.kind,
        "mlflow.note.content": "\n".join(f"- {reason}" for reason in facts.reasons),
    }


def _permitted(name: str) -> str:
    """The name with the characters that MLflow refuses replaced."""
    return re.sub(r"[^\w.\- :/]", "_", name)


def _milliseconds() -> int:
    return int(time.time() * 1000)
