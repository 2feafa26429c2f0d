"""The main flow: it takes rows and delivers a fine-tuned, evaluated model behind an endpoint, if the gate passes it."""

from datetime import datetime
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from finetune_flows.flows.form import TextOrEmpty
from finetune_flows.tasks import report
from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.artifacts.runs import end_run, ending, start_run
from finetune_flows.tasks.base.errors import GateRefused
from finetune_flows.tasks.base.files import write_json
from finetune_flows.tasks.base.values import Frozen, now
from finetune_flows.tasks.deploy import candidate_endpoint
from finetune_flows.tasks.evaluate import evaluate_base, evaluate_candidate
from finetune_flows.tasks.evaluation.files import Evaluations
from finetune_flows.tasks.plan import preflight
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.prepare import look_first, prepare_dataset, stage_base_model
from finetune_flows.tasks.promote import ask_for_approval, candidate, judge_champion, named, pass_gate, promote
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.outcome import Outcome
from finetune_flows.tasks.reporting.watching import watched_by
from finetune_flows.tasks.track import track_live, track_run
from finetune_flows.tasks.train import check_start, train_model


@flow(name="finetune", flow_run_name="{recipe.name}")
def finetune(recipe: Recipe, continue_from: TextOrEmpty = "") -> Outcome:
    """Fine-tunes a model by a recipe, compares it with the base model on unseen rows, and promotes it if it is better.

    Args:
        recipe: Everything that determines the fine-tuning. Results of earlier runs are reused.
        continue_from: Continue training from the adapter of an earlier model: the first letters of its digest, as
            `finetune history` shows them. Default: start from the base model.
    """
    folder = start_run(recipe, str(flow_run.get_id()))
    started = now()
    try:
        with watched_by(report.begin_report(folder, recipe), *track_live(recipe, folder)):
            outcome = _finetune(recipe, continue_from)
            outcome = _reported(recipe, outcome, folder, started)
    except BaseException as error:  # also when Prefect cancels the run: its TerminationSignal is no Exception
        end_run(folder, ending(error))
        raise
    result = "promoted" if outcome.promoted else outcome.decision
    end_run(folder, result, outcome.model_dump(mode="json"))
    # Prefect takes the state for the run, and gives the caller the outcome in it.
    return Completed(name=named(result), message="; ".join(outcome.reasons), data=outcome)  # type: ignore[return-value]


def _reported(recipe: Recipe, outcome: Outcome, folder: Path, started: datetime) -> Outcome:
    """Writes the evaluation (JSON), the report (HTML) and the model card into the folder of the run."""
    measured = Evaluations(
        base=outcome.base_evaluation, candidate=outcome.evaluation, champion=outcome.champion_evaluation
    ).read(recipe.problem)
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


_REPORTED = (
    "decision",
    "reasons",
    "base_model",
    "dataset",
    "model",
    "base_evaluation",
    "evaluation",
    "endpoint",
    "address",
)


def _finetune(recipe: Recipe, continue_from: str | None) -> Outcome:
    recipe = preflight(recipe)
    look_first(recipe)
    base = stage_base_model(recipe.model, recipe.platform)
    start = _start(recipe, base, continue_from) if continue_from else None
    dataset = prepare_dataset(recipe.dataset, recipe.problem, base)
    report.publish_dataset(dataset)
    # The base model is evaluated first: a mistake in serving or scoring shows before a GPU is paid for.
    base_evaluation = evaluate_base(recipe, base, dataset)
    # Outside the block that may delete the candidate's endpoint: a failed evaluation must not lose a paid training.
    model = train_model(recipe, base, dataset, start)
    report.publish_training(recipe, model)
    judgement = _judge(recipe, dataset, model, base_evaluation)
    report.publish_decision(recipe.name, judgement.decision, judgement.reasons)
    return Outcome(
        recipe=recipe.name,
        metric=recipe.metric,
        decision=judgement.decision,
        promoted=judgement.address is not None,
        reasons=judgement.reasons,
        base_model=base,
        dataset=dataset,
        model=model,
        base_evaluation=base_evaluation,
        evaluation=judgement.evaluations.candidate,
        champion_evaluation=judgement.evaluations.champion,
        endpoint=judgement.endpoint,
        address=judgement.address,
    )


def _start(recipe: Recipe, base: Reference, digest: str) -> Reference:
    """The earlier model to continue from. Raises RegistryError or RecipeError before the rows are prepared."""
    start = candidate(recipe.name, digest, anyway=True).model
    check_start(recipe, base, start)
    return start


class _Judgement(Frozen):
    """The gate's decision on a candidate; endpoint and address only if the candidate was promoted."""

    decision: str
    reasons: list[str]
    evaluations: Evaluations
    endpoint: Endpoint | None = None
    address: str | None = None


def _judge(recipe: Recipe, dataset: Reference, model: Reference, base_evaluation: Reference) -> _Judgement:
    """Deploys and evaluates the candidate, and promotes it if the gate passes it; otherwise its endpoint is deleted."""
    champion_evaluation = judge_champion(recipe, model, dataset)
    try:
        with candidate_endpoint(recipe, model) as endpoint:
            report.publish_deployment(recipe, endpoint, model)
            evaluation = evaluate_candidate(recipe, model, dataset, endpoint)
            evaluations = Evaluations(base=base_evaluation, candidate=evaluation, champion=champion_evaluation)
            report.publish_evaluation(recipe, evaluations)
            entry = pass_gate(recipe, dataset, model, endpoint, evaluations)
            alias = promote(recipe, entry, endpoint)
    except GateRefused as refusal:
        if refusal.outcome == "awaits approval":
            ask_for_approval(recipe.name, model)
        return _Judgement(decision=refusal.outcome, reasons=refusal.reasons, evaluations=evaluations)
    return _Judgement(
        decision=entry.decision.outcome,
        reasons=entry.decision.reasons,
        evaluations=evaluations,
        endpoint=endpoint.model_copy(update={"name": alias.endpoint, "url": alias.target}),
        address=alias.url,
    )
