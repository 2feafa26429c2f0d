"""Promote: the gate's decision, recorded; the champion replaced, or left where it is."""

from prefect import task

from tasks.artifacts.references import Reference
from tasks.artifacts.registry import Entry, Registry, now
from tasks.artifacts.remote import lineage_of
from tasks.errors import FinetuneError, GateRefused
from tasks.evaluate import compare_evaluations, read_scores
from tasks.evaluation.gate import decide
from tasks.platforms import platform_of
from tasks.platforms.contract import Endpoint, JudgedModel
from tasks.progress import log
from tasks.recipe import Recipe


@task(name="gate")
def pass_gate(
    recipe: Recipe, model: Reference, endpoint: Endpoint, base_evaluation: Reference, evaluation: Reference
) -> Entry:
    """The decision to promote.

    Raises:
        GateRefused: the candidate may not serve; the refusal stands in the registry with its reasons.
    """
    metric = recipe.metric
    base, tuned = read_scores(base_evaluation).metrics[metric], read_scores(evaluation).metrics[metric]
    entry = Entry(
        decided_at=now(),
        model=model,
        endpoint=endpoint.name,
        base_evaluation=base_evaluation,
        evaluation=evaluation,
        decision=decide(recipe.gate, metric, base, tuned, compare_evaluations(metric, base_evaluation, evaluation)),
    )
    _enter_model(recipe, model, endpoint, entry)
    if not entry.decision.passed:
        Registry().record(recipe.name, entry)
        raise GateRefused(recipe.name, entry.decision.reasons)
    return entry


def _enter_model(recipe: Recipe, model: Reference, endpoint: Endpoint, entry: Entry) -> None:
    """In the platform's own registry: a mirror, so that a fault there ends no good candidate."""
    judged = JudgedModel(
        recipe=recipe.name,
        endpoint=endpoint.name,
        model_digest=model.digest,
        scores=entry.evaluation.path / "scores.json",
        lineage=lineage_of(model, read_scores(entry.evaluation).dataset_digest),
        passed=entry.decision.passed,
        reasons=entry.decision.reasons,
        labels=endpoint.labels,
    )
    try:
        platform_of(recipe.platform).enter_model(judged)
    except FinetuneError as error:
        log.warning("%s", error)


@task(name="promote")
def promote(recipe: Recipe, entry: Entry) -> None:
    """Makes the judged model the champion of its recipe, and ends the endpoint of the one before."""
    before = Registry().record(recipe.name, entry)
    if before is not None and before.endpoint != entry.endpoint:
        platform_of(recipe.platform).delete_endpoint(before.endpoint)
        log.info("endpoint %s of the champion before deleted", before.endpoint)
