"""The main job: rows in; a fine-tuned, measured, gated model behind an endpoint out."""

from datetime import datetime
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run
from pydantic import Field

from finetune_flows.tasks import report
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.runs import end_run, start_run
from finetune_flows.tasks.base.errors import GateRefused
from finetune_flows.tasks.base.files import write_json
from finetune_flows.tasks.base.values import Frozen, now
from finetune_flows.tasks.deploy import candidate_endpoint
from finetune_flows.tasks.evaluate import evaluate_base, evaluate_candidate
from finetune_flows.tasks.evaluation.files import read_evaluation
from finetune_flows.tasks.plan import preflight
from finetune_flows.tasks.platforms.contract import Alias, Endpoint
from finetune_flows.tasks.prepare import prepare_dataset, stage_base_model
from finetune_flows.tasks.promote import ask_for_approval, candidate, judge_champion, pass_gate, promote
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.track import track_run
from finetune_flows.tasks.train import check_start, train_model


class Outcome(Frozen):
    """What a run of `finetune` made, and what became of it."""

    recipe: str
    metric: str = Field(description="The score that the gate looked at.")
    decision: str = Field(description="The gate's: passed, refused, cannot tell, or awaits approval.")
    promoted: bool
    reasons: list[str] = Field(description="What the gate saw, a sentence for each condition.")
    base_model: Reference
    dataset: Reference
    model: Reference
    base_evaluation: Reference
    evaluation: Reference
    champion_evaluation: Reference | None = Field(description="None when there was no other champion to compare with.")
    endpoint: Endpoint | None = Field(None, description="Serves the model; None when the gate refused it.")
    address: str | None = Field(None, description="What clients call: it stays the same and leads to the champion.")
    report: str | None = Field(None, description="File of the report; None when it could not be written.")


@flow(name="finetune", flow_run_name="{recipe.name}")
def finetune(recipe: Recipe, continue_from: str | None = None) -> Outcome:
    """Fine-tunes a model by a recipe, compares it with its base on unseen rows, and lets it serve when it is better.

    Args:
        recipe: Everything that determines the fine-tuning. What an earlier run has already made is used again.
        continue_from: First letters of the digest of a model of the recipe, as `finetune history` shows them: training goes
            on from its adapter. By default it starts from the base model.
    """
    folder = start_run(recipe, str(flow_run.get_id()))
    started = now()
    try:
        outcome = _finetune(recipe, continue_from)
        outcome = _reported(recipe, outcome, folder, started)
    except BaseException as error:
        end_run(folder, f"{type(error).__name__}: {error}")
        raise
    end_run(folder, "promoted" if outcome.promoted else outcome.decision, outcome.model_dump(mode="json"))
    return outcome


def _reported(recipe: Recipe, outcome: Outcome, folder: Path, started: datetime) -> Outcome:
    """The outcome, with all that was measured written into the folder of the run: for programs and for a person."""
    measured = read_evaluation(outcome.base_evaluation, outcome.evaluation, outcome.champion_evaluation)
    write_json(folder / "evaluation.json", measured.model_dump(mode="json"))
    facts = RunFacts(
        recipe=recipe,
        run=folder.name,
        started=started,
        seconds=(now() - started).total_seconds(),
        **{name: value for name, value in outcome if name in _REPORTED},
        **dict(measured),
    )
    page = report.save_report(folder, facts)
    report.publish_cost(facts, page)
    track_run(facts, folder)
    return outcome.model_copy(update={"report": str(page) if page else None})


_REPORTED = ("promoted", "reasons", "base_model", "dataset", "model", "base_evaluation", "evaluation", "endpoint")


def _finetune(recipe: Recipe, continue_from: str | None) -> Outcome:
    recipe = preflight(recipe)
    base = stage_base_model(recipe.model, recipe.platform)
    start = candidate(recipe.name, continue_from, anyway=True).model if continue_from else None
    if start is not None:
        check_start(recipe, base, start)
    dataset = prepare_dataset(recipe.dataset, recipe.problem, base)
    report.publish_dataset(dataset)
    # The base model is judged first: a mistake in serving or scoring shows before a GPU is paid for.
    base_evaluation = evaluate_base(recipe, base, dataset)
    model = train_model(recipe, base, dataset, start)
    report.publish_training(model)
    champion_evaluation = judge_champion(recipe, model, dataset)
    alias: Alias | None = None
    decided: str
    try:
        with candidate_endpoint(recipe, model) as endpoint:
            report.publish_deployment(recipe, endpoint, model)
            evaluation = evaluate_candidate(recipe, model, dataset, endpoint)
            report.publish_evaluation(recipe, base_evaluation, evaluation, champion_evaluation)
            entry = pass_gate(recipe, dataset, model, endpoint, base_evaluation, evaluation, champion_evaluation)
            alias = promote(recipe, entry, endpoint)
        decided, reasons = entry.decision.outcome, entry.decision.reasons
    except GateRefused as refusal:
        decided, reasons = refusal.outcome, refusal.reasons
        if decided == "awaits approval":
            ask_for_approval(recipe.name, model)
    report.publish_decision(recipe.name, decided, reasons)
    return Outcome(
        recipe=recipe.name,
        metric=recipe.metric,
        decision=decided,
        promoted=alias is not None,
        reasons=reasons,
        base_model=base,
        dataset=dataset,
        model=model,
        base_evaluation=base_evaluation,
        evaluation=evaluation,
        champion_evaluation=champion_evaluation,
        endpoint=endpoint.model_copy(update={"name": alias.endpoint, "url": alias.target}) if alias else None,
        address=alias.url if alias else None,
    )
