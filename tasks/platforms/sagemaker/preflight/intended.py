"""Builds the requests that a run will send to SageMaker, before it does."""

from collections.abc import Iterator

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.validation import problems_of
from finetune_flows.tasks.base.errors import FinetuneError, RecipeError
from finetune_flows.tasks.platforms.contract import Intent
from finetune_flows.tasks.platforms.sagemaker import images, requests, serving_requests
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.preflight.report import Request

_NOT_YET = "0" * 32  # placeholder for a digest that is unknown until the files are made


def intended_requests(intent: Intent, clients: Clients) -> tuple[list[Request], list[Finding]]:
    """The requests that can be built, and the problems with them or with building the others."""
    made: list[Request] = []
    findings: list[Finding] = []
    for what, build in (("training image", _training), ("serving image", _serving)):
        try:
            made += build(intent, clients)
        except RecipeError as error:
            findings += [Finding(what=what, found=problem, ok=False, advice="") for problem in error.problems]
        except FinetuneError as error:
            findings.append(Finding(what=what, found=str(error), ok=False))
    for request in made:
        findings += [
            Finding(what=request.operation, found=problem, ok=False)
            for problem in problems_of(request.operation, request.members)
        ]
    if not findings:
        found = f"{len(made)} requests match AWS's API model; images exist for {clients.region}"
        findings.append(Finding(what="requests", found=found, ok=True))
    return made, findings


def _training(intent: Intent, clients: Clients) -> Iterator[Request]:
    instance = clients.section.training_instances[0]
    kinds = {"model": "base-model"} | ({"code": "code"} if clients.section.training_image is None else {})
    names = dict.fromkeys([*intent.job.channels, *kinds])
    channels = {name: f"{clients.home}/{kinds.get(name, name)}/{_NOT_YET}/" for name in names}
    if requests.split_hyperparameters(intent.job.hyperparameters)[1]:
        channels["settings"] = f"{clients.home}/settings/{_NOT_YET}/"
    job = intent.job.model_copy(update={"name": f"{intent.job.name}-1"})
    image = images.training_image(clients, instance)
    yield Request(operation="CreateTrainingJob", members=requests.training_job(clients, job, channels, image, instance))


def _serving(intent: Intent, clients: Clients) -> Iterator[Request]:
    image = images.serving_image(clients)
    base, *tuned = intent.endpoints
    uris = {base.name: f"{clients.home}/base-model/{_NOT_YET}/"}
    uris |= {spec.name: f"{clients.home}/jobs/{intent.job.name}-1/output/model/model/" for spec in tuned}
    for spec in intent.endpoints:
        plan = serving_requests.plan(clients, spec, uris[spec.name], image)
        yield Request(operation="CreateModel", members=plan.model)
        yield Request(operation="CreateEndpointConfig", members=plan.config)
        yield Request(operation="CreateEndpoint", members=plan.endpoint)
