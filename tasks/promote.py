"""Promote: record the gate's decision, and replace the champion if the gate passed the candidate."""

from prefect import task
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.remote import lineage_of
from finetune_flows.tasks.artifacts.store import verify
from finetune_flows.tasks.base.errors import ArtifactDamaged, FinetuneError, GateRefused, RegistryError
from finetune_flows.tasks.base.values import now
from finetune_flows.tasks.deploy import endpoint_spec, start_checked
from finetune_flows.tasks.evaluate import evaluate_champion
from finetune_flows.tasks.evaluation.files import Evaluations, measured
from finetune_flows.tasks.evaluation.gate import decide
from finetune_flows.tasks.evaluation.registry import Entry, Registry
from finetune_flows.tasks.platforms import platform_of
from finetune_flows.tasks.platforms.contract import Alias, Endpoint, JudgedModel
from finetune_flows.tasks.progress import log
from finetune_flows.tasks.recipe import Recipe, parse_recipe
from finetune_flows.tasks.retrying import RETRIES

_SWITCH_SECONDS = 1800.0


def judge_champion(recipe: Recipe, model: Reference, dataset: Reference) -> Reference | None:
    """The champion's scores on today's test; None if there is no champion, it is `model`, or max_loss is not set."""
    champion = Registry().read(recipe.name).champion
    if champion is None or champion.model == model or recipe.gate.max_loss is None:
        return None
    try:
        verify(champion.model)
    except ArtifactDamaged as error:
        log.warning("the champion cannot be compared with, because its model is gone: %s", error)
        return None
    return evaluate_champion(recipe, champion.model, dataset)


def pass_gate(
    recipe: Recipe, dataset: Reference, model: Reference, endpoint: Endpoint, evaluations: Evaluations
) -> Entry:
    """Decides on the candidate and records the decision with its reasons.

    Raises:
        GateRefused: the candidate may not serve, or only after a person approves.
    """
    state = _gate(recipe, dataset, model, endpoint, evaluations)
    entry = state.result()
    outcome = str(state.name).lower()
    if outcome != "passed":
        raise GateRefused(recipe.name, outcome, entry.decision.reasons)
    return entry


def named(decision: str) -> str:
    """The name of the state of a run that ends with this decision: Passed, Refused, Cannot tell, Awaits approval."""
    return decision.capitalize()


# It returns a state, and does not raise: a model that is refused is no failure of the task.
@task(name="gate")
def _gate(
    recipe: Recipe, dataset: Reference, model: Reference, endpoint: Endpoint, evaluations: Evaluations
) -> State[Entry]:
    """The recorded decision, in a state that is named after it and gives the reasons."""
    champion = measured(evaluations.champion) if evaluations.champion else None
    base, tuned = measured(evaluations.base), measured(evaluations.candidate)
    entry = Entry(
        decided_at=now(),
        recipe=recipe.model_dump(mode="json"),
        dataset=dataset,
        model=model,
        endpoint=endpoint.name,
        base_evaluation=evaluations.base,
        evaluation=evaluations.candidate,
        decision=decide(recipe.problem, recipe.gate, recipe.metric, tuned, base, champion),
    )
    Registry().record(recipe.name, entry)
    _enter_model(recipe, model, endpoint, entry)
    asks = entry.decision.passed and recipe.gate.approval and not _is_champion(recipe.name, model)
    outcome = "awaits approval" if asks else entry.decision.outcome
    return Completed(name=named(outcome), message="; ".join(entry.decision.reasons), data=entry)


def _enter_model(recipe: Recipe, model: Reference, endpoint: Endpoint, entry: Entry) -> None:
    """Enters the model into the platform's own registry. It is only a mirror, so an error there is just logged."""
    judged = JudgedModel(
        recipe=recipe.name,
        endpoint=endpoint.name,
        model_digest=model.digest,
        scores=entry.evaluation.path / "scores.json",
        lineage=lineage_of(model, entry.dataset.digest),
        passed=entry.decision.passed,
        reasons=entry.decision.reasons,
        labels=endpoint.labels,
    )
    try:
        platform_of(recipe.platform).enter_model(judged)
    except FinetuneError as error:
        log.warning("%s", error)


def _is_champion(name: str, model: Reference) -> bool:
    champion = Registry().read(name).champion
    return champion is not None and champion.model == model


def ask_for_approval(name: str, model: Reference) -> None:
    """Starts a run of the deployment `promote`, which waits for a person; without a deployment, logs the command."""
    command = f"finetune promote {name} --model {model.digest[:8]} --reason ..."
    parameters = {"name": name, "model": model.digest, "ask": True}
    try:
        run_deployment("promote/promote", parameters=parameters, timeout=0, as_subflow=False)
        log.info("the model awaits approval: open the waiting run of promote in the Prefect UI, or type: %s", command)
    except ObjectNotFound:
        log.info("the model awaits approval. To approve it: %s", command)


@task(name="promote")
def promote(recipe: Recipe, entry: Entry, endpoint: Endpoint, reason: str = "the gate passed it") -> Alias:
    """Makes the evaluated model behind `endpoint` the champion: the lasting address leads to it from now on."""
    with Registry().switch(recipe.name, _SWITCH_SECONDS) as record:  # a run of hours waits for a change by hand
        # Before the switch: a flow that fails from here on keeps the endpoint, and the next change completes this one.
        Registry().promote(recipe.name, entry, reason)
        return _switch(recipe, endpoint, entry, record.champion)


@task(name="promote-earlier", **RETRIES)
def promote_earlier(name: str, model: str | None, anyway: bool, reason: str) -> Alias:
    """Makes a candidate that was evaluated earlier the champion.

    Raises:
        RegistryError: there is no such candidate, or the gate did not pass it and `anyway` is not set.
        EndpointFailed: its endpoint does not start, or answers wrongly. The champion keeps serving.
    """
    with Registry().switch(name) as record:
        entry = candidate(name, model, anyway)
        recipe, endpoint = _serve(entry)
        Registry().promote(name, entry, reason)
        return _switch(recipe, endpoint, entry, record.champion)


@task(name="roll-back", **RETRIES)
def roll_back(name: str, reason: str) -> Alias:
    """Makes the previous champion the champion again, and starts its endpoint if it is gone.

    A rollback that was cut off is completed, not repeated.

    Raises:
        RegistryError: there is no previous champion, or another command is changing the champion.
        EndpointFailed: its endpoint does not start, or answers wrongly. The champion keeps serving.
    """
    with Registry().switch(name) as record:
        if record.champion and record.switching and record.switches[-1].action == "rolled back":
            log.info("the last rollback of %s was cut off; it is completed now", name)
            return _switch(*_serve(record.champion), record.champion, None)
        if record.before:
            _serve(record.before[-1])  # first: the registry must not name a champion whose endpoint does not start
        entry = Registry().roll_back(name, reason)
        return _switch(*_serve(entry), entry, record.champion)


def candidate(name: str, model: str | None, anyway: bool) -> Entry:
    """The latest candidate, or the one whose digest starts with `model`. Raises RegistryError."""
    judged = [each for each in Registry().read(name).history if each.model.digest.startswith(model or "")]
    if not judged:
        known = ", ".join(Registry().recipes()) or "none"
        what = f"{name} has no candidate {model}" if model else f"{name} has no candidate yet"
        raise RegistryError(f"{what} (recipes in the registry: {known}); `finetune history {name}` shows all decisions")
    entry = judged[-1]
    if not (entry.decision.passed or anyway):
        raise RegistryError(
            f"the gate did not pass {entry.model.digest[:8]} of {name} ({entry.decision.outcome}): "
            f"{'; '.join(entry.decision.reasons)}. To promote it anyway: finetune promote {name} --anyway --reason ..."
        )
    return entry


def _serve(entry: Entry) -> tuple[Recipe, Endpoint]:
    """The recipe of the decision, and a running, checked endpoint with the model."""
    recipe = parse_recipe(entry.recipe, f"the recipe of {entry.model.digest[:8]}")
    try:
        verify(entry.model)
    except ArtifactDamaged as error:
        raise ArtifactDamaged(
            f"model {entry.model.digest[:8]} of {recipe.name} cannot serve: {error}. Nothing was changed. "
            "`finetune run` with its recipe trains it again"
        ) from error
    return recipe, start_checked(recipe, entry.endpoint, entry.model)


def _switch(recipe: Recipe, endpoint: Endpoint, entry: Entry, before: Entry | None) -> Alias:
    """Points the address to the new endpoint and deletes the old one. Both serve until the old one has no open request."""
    spec = endpoint_spec(recipe, endpoint.name, entry.model.path / "model", entry.model)
    alias = platform_of(recipe.platform).point_alias(recipe.name, endpoint, spec)
    Registry().switched(recipe.name)
    log.info("%s now leads to %s", alias.url, alias.endpoint)
    if before is not None and before.endpoint != entry.endpoint:
        earlier = parse_recipe(before.recipe, "the recipe of the previous champion")
        platform_of(earlier.platform).delete_endpoint(before.endpoint)
        log.info("endpoint %s of the previous champion deleted", before.endpoint)
    return alias
