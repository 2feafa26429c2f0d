"""What an AWS account needs for our runs: a bucket, an execution role, a log group. Looked at first, made when confirmed.

Only what is missing is made, and only what this command made (it carries the tag finetune:made-by) is ever changed. What
was there before is looked at and told about, never altered.
"""

from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.aws.setup_bucket import bucket_steps
from finetune_flows.tasks.aws.setup_role import role_steps
from finetune_flows.tasks.aws.setup_steps import MADE_BY, Step

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
LOG_DAYS = 90


def plan_setup(clients: Clients) -> list[Step]:
    """Looks at the account and says what is there and what would be made. Changes nothing.

    Raises:
        EnvironmentProblem: no credentials or region, or not permitted to look.
    """
    with aws_errors("looking at the AWS account"):
        return [*bucket_steps(clients), *role_steps(clients), *_log_group(clients)]


def carry_out(clients: Clients, step: Step) -> None:
    """Sends one step's request. Raises EnvironmentProblem as `aws_errors` does."""
    with aws_errors(f"{step.what}: {step.operation}"):
        getattr(clients.client(step.service), step.operation)(**step.request)


def _log_group(clients: Clients) -> list[Step]:
    """A group that is there may hold other people's logs: how long they are kept is left to them."""
    what = f"log group {LOG_GROUP}"
    logs = clients.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
    found = next((group for group in groups if group["logGroupName"] == LOG_GROUP), None)
    if found is None:
        create = {"logGroupName": LOG_GROUP, "tags": {MADE_BY["Key"]: MADE_BY["Value"]}}
        return [_request(what, "create_log_group", create, "create"), _retention(what)]
    if found.get("retentionInDays"):
        return [Step(what=what, state="there", says=f"kept for {found['retentionInDays']} days")]
    if logs.list_tags_log_group(logGroupName=LOG_GROUP)["tags"].get(MADE_BY["Key"]) == MADE_BY["Value"]:
        return [_retention(what)]
    return [Step(what=what, state="not ours", says="used as it is; what it holds is kept for ever")]


def _retention(what: str) -> Step:
    request = {"logGroupName": LOG_GROUP, "retentionInDays": LOG_DAYS}
    return _request(what, "put_retention_policy", request, f"keep its lines for {LOG_DAYS} days")


def _request(what: str, operation: str, request: dict[str, Any], says: str) -> Step:
    return Step(what=what, state="missing", service="logs", operation=operation, request=request, says=says)
