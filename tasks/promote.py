"""Promote: the gate's decision, recorded; the champion replaced, or left where it is."""

from prefect import task

from tasks.artifacts.references import Reference
from tasks.artifacts.registry import Entry, Registry, now
from tasks.errors import GateRefused
from tasks.evaluate import compare_evaluations, read_scores
from tasks.evaluation.gate import decide
from tasks.platforms import platform_of
from tasks.platforms.contract import Endpoint
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
    if not entry.decision.passed:
        Registry().record(recipe.name, entry)
        raise GateRefused(recipe.name, entry.decision.reasons)
    return entry


@task(name="promote")
def promote(recipe: Recipe, entry: Entry) -> None:
    """Makes the judged model the champion of its recipe, and ends the endpoint of the one before."""
    before = Registry().record(recipe.name, entry)
    if before is not None and before.endpoint != entry.endpoint:
        platform_of(recipe.platform).delete_endpoint(before.endpoint)
        log.info("endpoint %s of the champion before deleted", before.endpoint)
