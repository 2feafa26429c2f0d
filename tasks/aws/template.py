"""The CloudFormation template of everything a run needs in an AWS account: bucket, execution role, log group."""

from collections.abc import Collection
from typing import Any, Literal

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy import document, only_tls
from finetune_flows.tasks.aws.policy_execution import TRUST, execution_statements

Part = Literal["bucket", "role", "log group"]
Resources = dict[str, dict[str, Any]]

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
LOG_DAYS = 90
TEMPORARY_DAYS = 60  # a job may run for 28 days, and its checkpoints must outlive it
POLICY_NAME = "finetune-flows"
ABOUT = {
    "Bucket": f"private, encrypted; deletes checkpoints and requests after {TEMPORARY_DAYS} days, broken uploads after 7",
    "BucketPolicy": "refuses requests without TLS",
    "Role": "only SageMaker may assume it",
    "RolePolicy": "only the permissions that jobs and endpoints need",
    "LogGroup": f"keeps its logs for {LOG_DAYS} days",
}
"""The purpose of each resource."""
_TAGS = [{"Key": "finetune:made-by", "Value": "finetune-setup-aws"}]
# Data and logs outlive the stack. If the first creation fails, they are deleted, so that a second attempt can create them.
_KEPT = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


def template(clients: Clients, without: Collection[Part] = ()) -> dict[str, Any]:
    """The template, ready for `aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM`.

    `without`: existing parts outside the stack. CloudFormation would refuse to create them again.
    """
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    parts: dict[Part, tuple[Resources, dict[str, Any]]] = {
        "bucket": (_bucket(clients), {"Bucket": {"Value": {"Ref": "Bucket"}}}),
        "role": (_role(clients), {"RoleArn": {"Value": role}}),
        "log group": (_log_group(), {"LogGroup": {"Value": {"Ref": "LogGroup"}}}),
    }
    chosen = [content for part, content in parts.items() if part not in without]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "finetune-flows: bucket, execution role and log group for runs on SageMaker",
        "Resources": {name: resource for resources, _ in chosen for name, resource in resources.items()},
        "Outputs": {name: output for _, outputs in chosen for name, output in outputs.items()},
    }


def _bucket(clients: Clients) -> Resources:
    key = clients.section.kms_key
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    encryption = {"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": bool(key)}
    properties = {
        "BucketName": clients.bucket,
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "LifecycleConfiguration": {"Rules": _lifecycle(clients.section.prefix)},
        "Tags": _TAGS,
    }
    return {
        "Bucket": {"Type": "AWS::S3::Bucket", **_KEPT, "Properties": properties},
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            **_KEPT,
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": only_tls(clients)},
        },
    }


def _lifecycle(prefix: str) -> list[dict[str, Any]]:
    """The rules that delete what a finished run no longer needs."""
    temporary = [
        {"Id": name, "Status": "Enabled", "Prefix": f"{prefix}/{name}/", "ExpirationInDays": TEMPORARY_DAYS}
        for name in ("checkpoints", "requests")
    ]
    uploads = {
        "Id": "broken-uploads",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    return [*temporary, uploads]


def _role(clients: Clients) -> Resources:
    """The policy is a resource of its own, so that a change set names it when permissions change."""
    role = {
        "RoleName": clients.role_name,
        "Description": "Execution role of finetune-flows: training jobs and endpoints on SageMaker",
        "AssumeRolePolicyDocument": TRUST,
        "Tags": _TAGS,
    }
    permissions = {
        "PolicyName": POLICY_NAME,
        "PolicyDocument": document(execution_statements(clients)),
        "Roles": [{"Ref": "Role"}],
    }
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "RolePolicy": {"Type": "AWS::IAM::Policy", "Properties": permissions},
    }


def _log_group() -> Resources:
    properties = {"LogGroupName": LOG_GROUP, "RetentionInDays": LOG_DAYS, "Tags": _TAGS}
    return {"LogGroup": {"Type": "AWS::Logs::LogGroup", **_KEPT, "Properties": properties}}
