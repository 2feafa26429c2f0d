"""Writing one run into MLflow: its settings and losses while it goes on, its scores and report at the end."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.statistics import Comparison, Estimate, Proportion
from finetune_flows.tasks.evaluation.scores import Scores
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.facts import RunFacts

log = logging.getLogger("finetune")
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
    client = _client(facts.recipe)
    run = _run_named(client, facts.recipe, facts.run)
    try:
        _write(client, run, facts, folder)
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)
    return store_uri(facts.recipe)


@dataclass
class LiveRun:
    """The entry of a run that goes on. If the store fails once, nothing more is written until the end of the run."""

    client: Any
    run: str

    @classmethod
    def begin(cls, recipe: Recipe, name: str) -> "LiveRun":
        """A new entry, with the recipe's settings. Raises as `track` does."""
        client = _client(recipe)
        run = _run_named(client, recipe, name)
        _write_parameters(client, run, recipe)
        return cls(client, run)

    def trained(self, step: Mapping[str, str]) -> None:
        """Writes the loss of a step, and the speed."""

        def write() -> None:
            for name in {"loss", "tokens_per_second"} & step.keys():
                self.client.log_metric(self.run, f"training/{name}", float(step[name]), step=int(step["step"]))

        self._try(write)

    def failed(self, error: BaseException) -> None:
        """Marks the entry as failed, with the error as its description."""

        def write() -> None:
            self.client.set_tag(self.run, "mlflow.note.content", f"{type(error).__name__}: {error}"[:_LONGEST])
            self.client.set_terminated(self.run, "FAILED")

        self._try(write)

    def _try(self, write: Callable[[], object]) -> None:
        if self.client is None:
            return
        try:
            write()
        except Exception as error:
            log.warning("the run is no longer written into MLflow while it goes on: %s", error)
            self.client = None


def _client(recipe: Recipe) -> Any:
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise EnvironmentProblem("MLflow is not installed: pip install 'finetune-flows[tracking]'") from error
    return MlflowClient(tracking_uri=store_uri(recipe))


def _run_named(client: Any, recipe: Recipe, name: str) -> str:
    """The entry that was begun while the run went on, or a new one."""
    experiment = _experiment(client, recipe)
    found = client.search_runs([experiment], filter_string=f"attributes.run_name = '{name}'", max_results=1)
    return str((found[0] if found else client.create_run(experiment, run_name=name)).info.run_id)


def store_uri(recipe: Recipe) -> str:
    """The recipe's server, or a file on this machine."""
    return recipe.tracking.uri or f"sqlite:///{home() / 'mlflow' / 'mlflow.db'}"


def _experiment(client: Any, recipe: Recipe) -> str:
    found = client.get_experiment_by_name(recipe.name)
    if found is not None:
        return str(found.experiment_id)
    place = None if recipe.tracking.uri else (home() / "mlflow" / "artifacts" / recipe.name).as_uri()
    return str(client.create_experiment(recipe.name, artifact_location=place))


def _write_parameters(client: Any, run: str, recipe: Recipe) -> None:
    from mlflow.entities import Param

    known = [Param(name, value[:_LONGEST]) for name, value in parameters(recipe).items()]
    for start in range(0, len(known), _PARAMETERS_AT_ONCE):
        client.log_batch(run, params=known[start : start + _PARAMETERS_AT_ONCE])


def _write(client: Any, run: str, facts: RunFacts, folder: Path) -> None:
    from mlflow.entities import Metric, RunTag

    _write_parameters(client, run, facts.recipe)
    client.log_batch(run, tags=[RunTag(name, value) for name, value in tags(facts).items()])
    now, written = _milliseconds(), client.get_run(run).data.metrics  # the loss may have been written step by step
    points = [Metric(_permitted(name), value, now, step) for name, value, step in metrics(facts)]
    points = [point for point in points if point.key not in written]
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
