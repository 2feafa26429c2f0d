"""`setup aws` on moto's CloudFormation, S3, IAM and Logs: what it makes, that it makes nothing twice, what it leaves alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import cfnlint.api
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.cloudformation.models import CloudFormationBackend
from typer.testing import CliRunner

from finetune_flows.flows.cli import app
from finetune_flows.tasks.aws import policy
from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy_execution import TRUST, execution_statements
from finetune_flows.tasks.aws.setup import look, planned
from finetune_flows.tasks.aws.template import LOG_GROUP, template
from finetune_flows.tasks.base.errors import EnvironmentProblem, TryLater
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform
from tests.support.cloudformation import rules_of_aws

BUCKET = "finetune-flows-123456789012-eu-west-1"
STACK = "finetune-flows-setup"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account, 123456789012."""
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws(), rules_of_aws():
        yield


def clients(**platform: Any) -> Clients:
    return Clients(SageMakerPlatform.model_validate({"region": "eu-west-1"} | platform))


def set_up(account: Clients) -> dict[str, str]:
    with planned(account) as plan:
        return plan.apply()


def states(account: Clients) -> list[str]:
    return [found.state for found in look(account)]


def stacks() -> list[str]:
    return [stack["StackName"] for stack in clients().client("cloudformation").describe_stacks()["Stacks"]]


def test_an_empty_account_gets_a_bucket_a_role_and_a_log_group() -> None:
    account = clients()
    assert states(account) == ["missing"] * 3
    outputs = set_up(account)
    assert outputs == {"Bucket": BUCKET, "RoleArn": account.role_arn, "LogGroup": LOG_GROUP}
    assert states(account) == ["there"] * 3
    s3, iam = account.client("s3"), account.client("iam")
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == "eu-west-1"
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]) == policy.only_tls(account)
    role = iam.get_role(RoleName="finetune-flows")["Role"]
    assert role["Arn"] == account.role_arn
    assert role["AssumeRolePolicyDocument"] == TRUST
    granted = iam.get_role_policy(RoleName="finetune-flows", PolicyName="finetune-flows")["PolicyDocument"]
    assert granted == policy.document(execution_statements(account))
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [90]


def test_the_bucket_is_private_and_rid_of_what_finished_runs_no_longer_need() -> None:
    bucket = template(clients())["Resources"]["Bucket"]["Properties"]  # moto applies neither of the two
    assert list(bucket["PublicAccessBlockConfiguration"].values()) == [True] * 4
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["checkpoints"]["Prefix"] == "finetune/checkpoints/"
    assert rules["checkpoints"]["ExpirationInDays"] > 28, "the checkpoints of the longest job outlive it"


@pytest.mark.parametrize(
    "platform", [{}, {"kms_key": "alias/mine", "subnets": ["s"], "security_groups": ["g"]}], ids=str
)
def test_the_template_fits_the_schemas_of_its_resources(platform: dict[str, Any]) -> None:
    found = cfnlint.api.lint_all(json.dumps(template(clients(**platform))))
    assert [str(match) for match in found if match.rule.severity != "informational"] == []


def test_the_data_and_the_logs_outlive_the_stack() -> None:
    kept = {name for name, each in template(clients())["Resources"].items() if "DeletionPolicy" in each}
    assert kept == {"Bucket", "BucketPolicy", "LogGroup"}


def test_a_second_time_nothing_changes() -> None:
    set_up(clients())
    with planned(clients()) as plan:
        assert plan.changes == []
    assert {found.state for found in plan.found} == {"there"}
    assert stacks() == [STACK], "the change set went, the stack did not"


def test_planning_leaves_nothing_behind() -> None:
    with planned(clients()) as plan:
        added = {(change.action, change.kind) for change in plan.changes}
    assert added == {
        ("Add", "AWS::S3::Bucket"),
        ("Add", "AWS::S3::BucketPolicy"),
        ("Add", "AWS::IAM::Role"),
        ("Add", "AWS::IAM::Policy"),
        ("Add", "AWS::Logs::LogGroup"),
    }
    assert stacks() == []
    with pytest.raises(ClientError):
        clients().client("s3").head_bucket(Bucket=BUCKET)
    assert clients().client("iam").list_roles()["Roles"] == []


def test_a_failed_creation_is_rolled_back_with_the_first_reason_and_can_be_tried_again() -> None:
    account = clients()
    with planned(account) as plan:
        create_bucket(BUCKET, "us-west-2")  # between the look and the creation
        with pytest.raises(
            EnvironmentProblem, match=f"stack {STACK} was rolled back: Bucket: .*BucketAlreadyExists"
        ) as told:
            plan.apply()
    assert "cancelled" not in str(told.value)
    assert account.client("iam").list_roles()["Roles"] == []
    account.client("s3").delete_bucket(Bucket=BUCKET)
    set_up(account)
    assert states(account) == ["there"] * 3


def test_a_stack_that_takes_too_long_is_left_to_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(backend: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
        stack = backend.stacks[backend.change_sets[change_set_name].stack_id]
        stack.status = "CREATE_IN_PROGRESS"  # moto is always done at once

    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", start)
    monkeypatch.setattr("finetune_flows.tasks.aws.stack._WAIT", {"Delay": 0, "MaxAttempts": 2})
    with pytest.raises(TryLater, match=f"stack {STACK} is still CREATE_IN_PROGRESS"):
        set_up(clients())
    assert stacks() == [STACK]


def create_bucket(name: str, region: str) -> None:
    boto3.client("s3", region).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})


def test_a_bucket_and_a_role_of_others_are_used_and_never_changed() -> None:
    account = clients(bucket="somebody", role="somebody")
    iam = account.client("iam")
    create_bucket("somebody", "eu-west-1")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    iam.create_role(RoleName="somebody", AssumeRolePolicyDocument=json.dumps(trust))
    account.client("logs").create_log_group(logGroupName=LOG_GROUP)
    with planned(account) as plan:
        bucket, role, logs = plan.found
        assert plan.apply() == {}
    assert (bucket.state, role.state, logs.state) == ("not ours",) * 3
    assert plan.changes == []
    assert "it has no public access block" in bucket.says
    assert "add sagemaker.amazonaws.com to its trust policy" in role.says
    assert "keeps its logs forever" in logs.says
    assert iam.list_role_policies(RoleName="somebody")["PolicyNames"] == []
    assert stacks() == []


def test_what_an_earlier_set_up_made_is_used_and_only_the_rest_is_made() -> None:
    create_bucket(BUCKET, "eu-west-1")
    account = clients()
    outputs = set_up(account)
    assert outputs == {"RoleArn": account.role_arn, "LogGroup": LOG_GROUP}
    assert states(account) == ["not ours", "there", "there"]
    with planned(account) as plan:
        assert plan.changes == []


def test_a_bucket_in_another_region_is_told() -> None:
    create_bucket("elsewhere", "us-west-2")
    bucket = look(clients(bucket="elsewhere"))[0]
    assert bucket.state == "differs"
    assert "it is in us-west-2" in bucket.says


def test_a_role_by_its_arn_is_not_made() -> None:
    account = clients(role="arn:aws:iam::123456789012:role/team/other")
    with planned(account) as plan:
        assert "there is no such role" in plan.found[1].says
        plan.apply()
    assert account.client("iam").list_roles()["Roles"] == []
    assert stacks() == ["other-setup"]


def test_what_was_deleted_outside_the_stack_is_told() -> None:
    account = clients()
    set_up(account)
    account.client("s3").delete_bucket(Bucket=BUCKET)
    bucket = look(account)[0]
    assert bucket.state == "gone"
    assert f"aws cloudformation delete-stack --stack-name {STACK}" in bucket.says


def test_a_recipe_that_needs_more_shows_what_its_role_would_get_in_addition() -> None:
    set_up(clients())
    more = clients(kms_key="1234abcd", subnets=["subnet-1"], security_groups=["sg-1"])
    with planned(more) as plan:
        says = {change.resource: change.says for change in plan.changes}["RolePolicy"]
        assert "adds ec2:CreateNetworkInterface on *" in says
        assert "kms:Decrypt on arn:aws:kms:eu-west-1:123456789012:key/1234abcd" in says
        assert "removes" not in says
        plan.apply()
    granted = more.client("iam").get_role_policy(RoleName="finetune-flows", PolicyName="finetune-flows")
    assert granted["PolicyDocument"] == policy.document(execution_statements(more))
    with planned(clients()) as plan:
        less = {change.resource: change.says for change in plan.changes}["RolePolicy"]
    assert less.startswith("removes ec2:")


def test_the_role_of_another_regions_stack_is_not_changed_and_what_it_lacks_is_named() -> None:
    set_up(clients())
    account = clients(region="eu-west-2")
    with planned(account) as plan:
        bucket, role, logs = plan.found
    assert (bucket.state, role.state, logs.state) == ("missing", "not ours", "missing")
    assert f"s3:GetObject on arn:aws:s3:::{account.bucket}/finetune/*" in role.says
    assert "set platform.role to a new name" in role.says


def test_two_roles_have_a_stack_each_and_neither_takes_the_others_away() -> None:
    set_up(clients())
    set_up(clients(role="team+b", bucket="team-b"))
    assert sorted(stacks()) == [STACK, "team-b-setup"]
    names = {role["RoleName"] for role in clients().client("iam").list_roles()["Roles"]}
    assert names == {"finetune-flows", "team+b"}


def test_the_role_may_do_the_least() -> None:
    for statement in execution_statements(clients(kms_key="alias/mine", subnets=["s"], security_groups=["g"])):
        assert not any(action.endswith("*") for action in statement.actions), statement.sid
        if statement.resources == ["*"]:
            assert statement.sid in {"LogInToRegistry", "WriteMetrics", "UseVpc"}, statement.sid
    (own, *_) = execution_statements(clients(prefix="team/a"))
    assert own.resources == [f"arn:aws:s3:::{BUCKET}/team/a/*"]


def test_a_key_by_its_alias_is_a_condition_and_not_a_licence_for_all_keys() -> None:
    key = next(each for each in execution_statements(clients(kms_key="alias/mine")) if each.sid == "UseKey")
    assert key.condition == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/mine"}}


def run(*arguments: str, answer: str = "") -> Any:
    return CliRunner().invoke(app, ["setup", "aws", *arguments], input=answer)


def test_the_command_shows_and_asks_before_it_makes_anything() -> None:
    declined = run(answer="n\n")
    assert declined.exit_code == 0, declined.output
    assert "AWS::S3::BucketPolicy" in declined.output
    assert stacks() == []
    confirmed = run("--yes")
    assert confirmed.exit_code == 0, confirmed.output
    assert f"RoleArn: {clients().role_arn}" in confirmed.output
    assert states(clients()) == ["there"] * 3
    again = run()  # nothing to confirm
    assert f"Stack {STACK}: nothing changes." in again.output


def test_a_dry_run_prints_the_changes_and_the_policies_and_makes_nothing() -> None:
    shown = json.loads(run("--dry-run", "--yes").output)
    assert [found["state"] for found in shown["found"]] == ["missing"] * 3
    assert "Bucket" in [change["resource"] for change in shown["changes"]]
    passed = [each for each in shown["caller_policy"]["Statement"] if "iam:PassRole" in each["Action"]]
    assert [each["Resource"] for each in passed] == [["arn:aws:iam::123456789012:role/finetune-flows"]]
    (stack,) = [each for each in shown["setup_policy"]["Statement"] if each["Sid"] == "SetUpStack"]
    assert stack["Resource"] == [f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/*"]
    assert stacks() == []


def test_json_makes_nothing_without_yes() -> None:
    assert json.loads(run("--json").output)["outputs"] == {}
    assert stacks() == []
    assert json.loads(run("--json", "--yes").output)["outputs"]["Bucket"] == BUCKET


def test_without_credentials_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for arguments in (["--cloudformation"], ["--dry-run"]):
        assert isinstance(run(*arguments).exception, EnvironmentProblem)


def test_the_template_can_be_printed_and_deployed_by_an_administrator() -> None:
    printed = run("--cloudformation").output
    assert json.loads(printed) == template(clients())
    clients().client("cloudformation").create_stack(
        StackName=STACK, TemplateBody=printed, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    assert states(clients()) == ["there"] * 3
