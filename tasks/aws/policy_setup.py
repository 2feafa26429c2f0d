"""What whoever runs `finetune setup aws` has to be permitted: our stack, and what it makes with their permissions."""

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy import Statement, arn
from finetune_flows.tasks.aws.template import LOG_GROUP


def setup_statements(clients: Clients) -> list[Statement]:
    """An administrator's permissions. Applying a change set needs them, and so does proposing one."""
    logs = arn(clients, "logs", f"log-group:{LOG_GROUP}", regional=True)
    return [
        Statement(
            sid="SetUpStack",
            reason="Propose changes to our stack, apply them, and read what it holds and why it failed.",
            actions=[f"cloudformation:{action}" for action in _STACK],
            resources=[arn(clients, "cloudformation", f"stack/{clients.stack}/*", regional=True)],
        ),
        Statement(
            sid="SetUpBucket",
            reason="Create the bucket with its settings, read them, and remove it when its first creation fails.",
            actions=[f"s3:{action}" for action in _BUCKET],
            resources=[arn(clients, "s3", clients.bucket)],
        ),
        Statement(
            sid="SetUpRole",
            reason="Create the execution role with its policy, and remove it with the stack.",
            actions=[f"iam:{action}" for action in _ROLE],
            resources=[clients.role_arn],
        ),
        Statement(
            sid="SetUpLogs",
            reason="Create the log group and set how long it keeps its lines.",
            actions=[f"logs:{action}" for action in _LOGS],
            resources=[logs, f"{logs}:*"],
        ),
        Statement(
            sid="FindLogs",
            reason="See whether the log group exists; AWS has no narrower resource for it.",
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
