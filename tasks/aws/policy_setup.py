"""The permissions of the person who runs `finetune setup aws`: for the stack and for every resource in it."""

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy import Statement, arn
from finetune_flows.tasks.aws.template import LOG_GROUP


def setup_statements(clients: Clients) -> list[Statement]:
    """An administrator's permissions. Both proposing and applying a change set need them."""
    logs = arn(clients, "logs", f"log-group:{LOG_GROUP}", regional=True)
    return [
        Statement(
            sid="SetUpStack",
            reason="Propose changes to our stack, apply them, and read its resources and failures.",
            actions=[f"cloudformation:{action}" for action in _STACK],
            resources=[arn(clients, "cloudformation", f"stack/{clients.stack}/*", regional=True)],
        ),
        Statement(
            sid="SetUpBucket",
            reason="Create the bucket with its settings, read the settings, and delete the bucket if its first creation fails.",
            actions=[f"s3:{action}" for action in _BUCKET],
            resources=[arn(clients, "s3", clients.bucket)],
        ),
        Statement(
            sid="SetUpRole",
            reason="Create the execution role with its policy, and delete it with the stack.",
            actions=[f"iam:{action}" for action in _ROLE],
            resources=[clients.role_arn],
        ),
        Statement(
            sid="SetUpLogs",
            reason="Create the log group and set how long it keeps its logs.",
            actions=[f"logs:{action}" for action in _LOGS],
            resources=[logs, f"{logs}:*"],
        ),
        Statement(
            sid="FindLogs",
            reason="Find out whether the log group exists. AWS permits no narrower resource.",
            actions=["logs:DescribeLogGroups"],
            resources=["*"],
        ),
    ]


_STACK = (
    "CreateChangeSet",
    "DeleteChangeSet",
    "DeleteStack",
    "DescribeChangeSet",
    "DescribeStackEvents",
    "DescribeStackResources",
    "DescribeStacks",
    "ExecuteChangeSet",
)
_BUCKET = (
    "CreateBucket",
    "DeleteBucket",
    "DeleteBucketPolicy",
    "GetBucketLocation",
    "GetBucketPolicy",
    "GetBucketPublicAccessBlock",
    "GetBucketTagging",
    "GetEncryptionConfiguration",
    "GetLifecycleConfiguration",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketTagging",
    "PutEncryptionConfiguration",
    "PutLifecycleConfiguration",
)
_ROLE = (
    "CreateRole",
    "DeleteRole",
    "DeleteRolePolicy",
    "GetRole",
    "GetRolePolicy",
    "PutRolePolicy",
    "TagRole",
    "UntagRole",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
)
_LOGS = (
    "CreateLogGroup",
    "DeleteLogGroup",
    "ListTagsForResource",
    "PutRetentionPolicy",
    "TagResource",
    "UntagResource",
)
