"""Checks the account before anything is uploaded: credentials, role, bucket, quotas. Nothing is changed.

If the caller may not make a check, that is a note and does not stop the run: the run itself may still be permitted.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import QUOTAS_PAGE, code_of, is_missing, words_of
from finetune_flows.tasks.aws.policy_execution import trusts_sagemaker
from finetune_flows.tasks.platforms.sagemaker.images import ECR_IMAGE, image_digest
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

_SET_UP = "finetune setup aws"


def account_findings(clients: Clients) -> Iterator[Finding]:
    """The findings, in the order in which the problems would stop a run."""
    caller, finding = _caller(clients)
    yield finding
    if caller is None:
        return
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "execution role": lambda: _role(clients, caller),
        "bucket": lambda: _bucket(clients),
        "images": lambda: _own_images(clients),
        "quotas": lambda: _quotas(clients),
    }
    for what, check in checks.items():
        yield from _asked(what, check)


def _asked(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield from check()
    except ClientError as error:
        found = f"could not be checked: {code_of(error)}: {words_of(error)[:120]}"
        yield Finding(what=what, found=found, ok=True, advice="see docs/aws.md for the permissions")
    except BotoCoreError as error:
        yield Finding(what=what, found=f"could not be checked: {error}", ok=True)


def _caller(clients: Clients) -> tuple[str | None, Finding]:
    """The caller's ARN, None if the credentials do not work, and the finding about them."""
    from botocore.exceptions import BotoCoreError, ClientError

    what = "credentials"
    if clients.session.get_credentials() is None:
        advice = "run aws configure, or aws sso login; in a notebook, the notebook's role is used"
        return None, Finding(what=what, found="none", ok=False, advice=advice)
    try:
        answer = clients.client("sts").get_caller_identity()
    except ClientError as error:
        found, advice = words_of(error), "renew the credentials (aws sso login, aws configure)"
        return None, Finding(what=what, found=found, ok=False, advice=advice)
    except BotoCoreError as error:
        advice = "check this machine's network and the region"
        return None, Finding(what=what, found=str(error), ok=False, advice=advice)
    return answer["Arn"], Finding(what=what, found=f"{answer['Arn']}, {clients.region}", ok=True)


def _role(clients: Clients, caller: str) -> Iterator[Finding]:
    from botocore.exceptions import ClientError

    name = clients.role_arn.split("/")[-1]
    iam = clients.client("iam")
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        yield Finding(what="execution role", found=f"there is no role {name}", ok=False, advice=_SET_UP)
        return
    trusted = trusts_sagemaker(role)
    advice = "" if trusted else "add sagemaker.amazonaws.com to its trust policy"
    found = role["Arn"] if trusted else f"SageMaker may not assume {role['Arn']}"
    yield Finding(what="execution role", found=found, ok=trusted, advice=advice)
    yield from _asked("PassRole", lambda: _pass_role(iam, caller, role["Arn"]))


def _pass_role(iam: Any, caller: str, role: str) -> Iterator[Finding]:
    context = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyValues": ["sagemaker.amazonaws.com"],
        "ContextKeyType": "string",
    }
    answer = iam.simulate_principal_policy(
        PolicySourceArn=principal_of(caller),
        ActionNames=["iam:PassRole"],
        ResourceArns=[role],
        ContextEntries=[context],
    )
    permitted = answer["EvaluationResults"][0]["EvalDecision"] == "allowed"
    found = "permitted" if permitted else f"{caller} may not hand {role} to SageMaker"
    advice = "" if permitted else "ask for iam:PassRole on the role; finetune setup aws --dry-run prints the policy"
    yield Finding(what="PassRole", found=found, ok=permitted, advice=advice)


def principal_of(caller: str) -> str:
    """The user or role behind a session: arn:aws:iam::1:role/NAME for arn:aws:sts::1:assumed-role/NAME/SESSION."""
    if ":assumed-role/" not in caller:
        return caller
    start, _, rest = caller.replace(":sts:", ":iam:").partition(":assumed-role/")
    return f"{start}:role/{rest.split('/')[0]}"


def _bucket(clients: Clients) -> Iterator[Finding]:
    from botocore.exceptions import ClientError

    name = clients.bucket
    try:
        location = clients.client("s3").get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1"
    except ClientError as error:
        if code_of(error) != "NoSuchBucket" and not is_missing(error):
            raise
        yield Finding(what="bucket", found=f"there is no bucket {name}", ok=False, advice=_SET_UP)
        return
    here = location == clients.region
    advice = (
        "" if here else f"a job reads only from its own region: set platform.bucket to a bucket in {clients.region}"
    )
    yield Finding(what="bucket", found=f"{name} in {location}", ok=here, advice=advice)


def _own_images(clients: Clients) -> Iterator[Finding]:
    """Checks images of the recipe in this account's ECR. AWS's own images come from a table of the SDK."""
    section = clients.section
    for field in ("training_image", "serving_image"):
        own = ECR_IMAGE.fullmatch(getattr(section, field) or "")
        if own and (own["account"], own["region"]) == (clients.account, clients.region):
            yield from _asked(field, partial(_own_image, clients, field, own.group()))


def _own_image(clients: Clients, field: str, uri: str) -> Iterator[Finding]:
    if image_digest(clients, uri) is None:
        advice = f"push it, or correct platform.{field}"
        yield Finding(what=field, found=f"{uri} is not in ECR", ok=False, advice=advice)
    else:
        yield Finding(what=field, found=f"{uri} is in ECR", ok=True)


def _quotas(clients: Clients) -> Iterator[Finding]:
    pages = clients.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    limits = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    for name, needed in needed_quotas(clients.section).items():
        limit = limits.get(name)
        if limit is None:
            yield Finding(what="quota", found=f"{name}: not listed for this account", ok=True)
            continue
        enough = limit >= needed
        advice = "" if enough else f"ask for {needed} at {QUOTAS_PAGE}, or use another instance type"
        yield Finding(what="quota", found=f"{name}: {limit:g}, needed {needed}", ok=enough, advice=advice)


def needed_quotas(section: SageMakerPlatform) -> dict[str, int]:
    """How many instances the run needs at the same time, by the names of Service Quotas."""
    use = "spot training job usage" if section.spot else "training job usage"
    needed = {f"{instance} for {use}": section.instance_count for instance in section.training_instances}
    if section.keep_alive_minutes:
        warm = {
            f"{instance} for training warm pool usage": section.instance_count
            for instance in section.training_instances
        }
        needed |= warm
    most = section.autoscaling.max_instances if section.autoscaling else 1
    return needed | {f"{section.serving_instance} for endpoint usage": most}
