"""The same bucket, role and log group as a CloudFormation template, for those who may not create roles themselves."""

from typing import Any

from finetune_flows.tasks.aws import policy
from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy_execution import execution_statements
from finetune_flows.tasks.aws.setup import LOG_DAYS, LOG_GROUP
from finetune_flows.tasks.aws.setup_bucket import PUBLIC_ACCESS, lifecycle_rules
from finetune_flows.tasks.aws.setup_role import POLICY_NAME
from finetune_flows.tasks.aws.setup_steps import MADE_BY


def template(clients: Clients) -> dict[str, Any]:
    """Ready for `aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM`. The bucket and the logs outlive the stack."""
    role = clients.role_arn.split("/")[-1]
    statements = policy.document(execution_statements(clients))
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "finetune-flows: bucket, execution role and log group for runs on SageMaker",
        "Resources": {
            "Bucket": _resource("AWS::S3::Bucket", _bucket(clients), kept=True),
            "Role": _resource(
                "AWS::IAM::Role",
                {
                    "RoleName": role,
                    "AssumeRolePolicyDocument": policy.TRUST,
                    "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": statements}],
                    "Tags": [MADE_BY],
                },
            ),
            "Logs": _resource(
                "AWS::Logs::LogGroup",
                {"LogGroupName": LOG_GROUP, "RetentionInDays": LOG_DAYS, "Tags": [MADE_BY]},
                kept=True,
            ),
        },
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}, "Bucket": {"Value": {"Ref": "Bucket"}}},
    }


def _resource(kind: str, properties: dict[str, Any], kept: bool = False) -> dict[str, Any]:
    keep = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"} if kept else {}
    return {"Type": kind, **keep, "Properties": properties}


def _bucket(clients: Clients) -> dict[str, Any]:
    key = clients.section.kms_key
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    return {
        "BucketName": clients.bucket,
        "PublicAccessBlockConfiguration": PUBLIC_ACCESS,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default}]},
        "LifecycleConfiguration": {"Rules": [_rule(rule) for rule in lifecycle_rules(clients)]},
        "Tags": [MADE_BY],
    }


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    """A lifecycle rule in CloudFormation's words, which differ from S3's."""
    words: dict[str, Any] = {"Id": rule["ID"], "Status": rule["Status"]}
    if rule["Filter"]["Prefix"]:
        words["Prefix"] = rule["Filter"]["Prefix"]
    if "Expiration" in rule:
        words["ExpirationInDays"] = rule["Expiration"]["Days"]
    if "AbortIncompleteMultipartUpload" in rule:
        words["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return words
