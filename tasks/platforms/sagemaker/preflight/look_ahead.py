"""Finds every problem of a run that can be known before anything is uploaded, and reports them together with remedies."""

from collections.abc import Iterator

from finetune_flows.tasks.aws.clients import PLACEHOLDER_ACCOUNT, Clients
from finetune_flows.tasks.aws.instances import Instance, gpus_that_serve, table
from finetune_flows.tasks.platforms.contract import Intent
from finetune_flows.tasks.platforms.sagemaker.preflight.account import account_findings
from finetune_flows.tasks.platforms.sagemaker.preflight.intended import intended_requests
from finetune_flows.tasks.preflight.costs import estimate, within_budget
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.preflight.memory import Memory, gpus_used, serving_memory, training_memory
from finetune_flows.tasks.preflight.model_size import size_of
from finetune_flows.tasks.preflight.prices import Prices
from finetune_flows.tasks.preflight.report import Report
from finetune_flows.tasks.preflight.serving_images import reads_models
from finetune_flows.tasks.recipe import Recipe, SageMakerPlatform

_EXAMPLE_REGION = "us-east-1"


def look_ahead(intent: Intent, section: SageMakerPlatform) -> Report:
    """Checks a run with AWS. Without credentials, it reports that, and uses the tables of the package.

    Raises:
        EnvironmentProblem: boto3 is not installed, or the profile is unknown.
    """
    clients, no_region = _in_some_region(section)
    account = list(account_findings(clients))
    signed_in = account[0].ok
    if not signed_in:
        clients = Clients(clients.section, account=PLACEHOLDER_ACCOUNT)
    prices = Prices(clients.region, clients.session if signed_in else None)
    costs = estimate(intent.recipe, section, prices)
    recipe, too_dear = within_budget(intent.recipe, section, costs)
    hours = recipe.platform.max_runtime_hours
    affordable = section.model_copy(update={"max_runtime_hours": hours})
    job = intent.job.model_copy(update={"max_runtime_seconds": hours * 3600})
    requests, about_requests = intended_requests(intent.model_copy(update={"job": job}), clients)
    server = [each for each in [reads_models(intent.recipe)] if each]
    findings = [
        *no_region, *account, *about_requests, *server, *_memory(intent.recipe, section), *_budget(affordable, too_dear)
    ]  # fmt: skip
    final = estimate(recipe, affordable, prices)
    return Report(recipe=recipe, region=clients.region, findings=findings, requests=requests, estimate=final)


def _in_some_region(section: SageMakerPlatform) -> tuple[Clients, list[Finding]]:
    """Clients for the section's region or, if none is set, for an example region: a plan can be shown, but no run starts."""
    clients = Clients(section)
    region: str | None = clients.session.region_name  # may be None, although boto3's type stub says `str`
    if region is not None:
        return clients, []
    advice = "set platform.region, or AWS_REGION"
    found = f"no region is set; this plan assumes {_EXAMPLE_REGION}"
    assumed = Finding(what="region", found=found, ok=False, advice=advice)
    return Clients(section.model_copy(update={"region": _EXAMPLE_REGION})), [assumed]


def _budget(section: SageMakerPlatform, problems: list[str]) -> Iterator[Finding]:
    yield from (Finding(what="budget", found=problem, ok=False) for problem in problems)
    if section.max_usd is not None and not problems:
        found = f"within ${section.max_usd:.2f}: the job may run for {section.max_runtime_hours:.2f} hours"
        yield Finding(what="budget", found=found, ok=True)


def _memory(recipe: Recipe, section: SageMakerPlatform) -> Iterator[Finding]:
    size = size_of(recipe.model)
    if size is None:
        yield Finding(
            what="memory", found="not estimated: the model has no config.json here and no size in its name", ok=True
        )
        return
    known = table().instances
    for name in section.training_instances:
        if name in known:
            gpus = gpus_used(recipe.training, known[name]) * section.instance_count
            yield _fits("training", name, known[name], training_memory(size, recipe.training, gpus), size.source)
    if section.serving_instance in known:
        instance = known[section.serving_instance]
        need = serving_memory(size, recipe.serving, gpus_that_serve(section))
        yield _fits("serving", section.serving_instance, instance, need, size.source)


def _fits(what: str, name: str, instance: Instance, need: Memory, source: str) -> Finding:
    """A GPU that is certainly too small is a problem; one that may be too small is a note. CPU memory is only reported."""
    if not instance.gpu:
        found = f"{name} has no GPU and {instance.memory_gib:g} GiB; about {need.words()} are needed"
        return Finding(what=f"memory, {what}", found=found, ok=True)
    verdict = need.verdict(instance.gpu_gib)
    found = f"{verdict} on {name} ({instance.gpu}, {instance.gpu_gib:g} GiB): about {need.words()}, from {source}"
    advice = "" if verdict == "fits" else "use a type with a larger GPU, or lower batch_size or max_length"
    return Finding(what=f"memory, {what}", found=found, ok=verdict != "does not fit", advice=advice)
