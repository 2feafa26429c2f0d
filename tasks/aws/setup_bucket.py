"""The bucket: private, encrypted, and rid of what finished runs no longer need."""

from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.setup_steps import MADE_BY, Step, ask

TEMPORARY_DAYS = 60  # longer than the longest job: its checkpoints must outlive it
_TEMPORARY = ("checkpoints", "requests")  # below the prefix: what a finished run no longer needs
PUBLIC_ACCESS = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def bucket_steps(clients: Clients) -> list[Step]:
    """What is due for the bucket. One that is not ours is only looked at."""
    name, what = clients.bucket, f"bucket {clients.bucket}"
    wanted = bucket_settings(clients)
    s3 = clients.client("s3")
    location = ask(lambda: s3.get_bucket_location(Bucket=name))
    if location is None:
        create: dict[str, Any] = {"Bucket": name}
        if clients.region != "us-east-1":  # whose name CreateBucket refuses
            create["CreateBucketConfiguration"] = {"LocationConstraint": clients.region}
        made = Step(what=what, state="missing", service="s3", operation="create_bucket", request=create, says="create")
        return [made, *(_setting(what, *each) for each in wanted)]
    region = location["LocationConstraint"] or "us-east-1"
    if region != clients.region:
        return [
            Step(what=what, state="differs", says=f"it is in {region}: set platform.bucket to one in {clients.region}")
        ]
    tags = ask(lambda: s3.get_bucket_tagging(Bucket=name)) or {"TagSet": []}
    ours = MADE_BY in tags["TagSet"]
    lacking = [each for each in wanted if not _has(s3, name, each[0])]
    if not ours:
        advice = "; ".join(
            f"it has no {setting[0].removeprefix('put_').removeprefix('bucket_').replace('_', ' ')}"
            for setting in lacking
        )
        return [Step(what=what, state="not ours", says=f"used as it is{': ' + advice if advice else ''}")]
    return [Step(what=what, state="there"), *(_setting(what, *each) for each in lacking)]


def bucket_settings(clients: Clients) -> list[tuple[str, dict[str, Any], str]]:
    """Operation, request and words for everything that a bucket of ours has. The tag comes first: it says that it is ours."""
    key = clients.section.kms_key
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bool(key)}]}
    settings: list[tuple[str, dict[str, Any], str]] = [
        ("put_bucket_tagging", {"Tagging": {"TagSet": [MADE_BY]}}, "tag it as made by this command"),
        ("put_public_access_block", {"PublicAccessBlockConfiguration": PUBLIC_ACCESS}, "block all public access"),
        (
            "put_bucket_encryption",
            {"ServerSideEncryptionConfiguration": encryption},
            f"encrypt by {default['SSEAlgorithm']}",
        ),
        (
            "put_bucket_lifecycle_configuration",
            {"LifecycleConfiguration": {"Rules": lifecycle_rules(clients)}},
            f"delete checkpoints and requests after {TEMPORARY_DAYS} days, broken uploads after 7",
        ),
    ]
    return [(operation, {"Bucket": clients.bucket} | request, says) for operation, request, says in settings]


def lifecycle_rules(clients: Clients) -> list[dict[str, Any]]:
    """As S3 reads them."""
    uploads = {
        "ID": "broken-uploads",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "Filter": {"Prefix": ""},
    }
    temporary = [
        {"ID": name, "Expiration": {"Days": TEMPORARY_DAYS}, "Filter": {"Prefix": f"{clients.section.prefix}/{name}/"}}
        for name in _TEMPORARY
    ]
    return [rule | {"Status": "Enabled"} for rule in (*temporary, uploads)]


def _setting(what: str, operation: str, request: dict[str, Any], says: str) -> Step:
    return Step(what=what, state="missing", service="s3", operation=operation, request=request, says=says)


def _has(s3: Any, name: str, put: str) -> bool:
    """Whether the bucket has the setting that the operation `put` makes."""
    return ask(lambda: getattr(s3, put.replace("put_", "get_"))(Bucket=name)) is not None
