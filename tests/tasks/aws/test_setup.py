"""`setup aws` on moto's S3, IAM and Logs: what it makes, that it makes nothing twice, and what it leaves alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from finetune_flows.flows.cli import app
from finetune_flows.tasks.aws import policy
from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.cloudformation import template
from finetune_flows.tasks.aws.policy_execution import execution_statements
from finetune_flows.tasks.aws.setup import LOG_GROUP, carry_out, plan_setup
from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

BUCKET = "finetune-flows-123456789012-eu-west-1"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account, 123456789012."""
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield


def clients(**platform: Any) -> Clients:
    return Clients(SageMakerPlatform.model_validate({"region": "eu-west-1"} | platform))


def set_up(account: Clients) -> None:
    for step in plan_setup(account):
        if step.is_due:
            carry_out(account, step)


def states(account: Clients) -> list[tuple[str, str]]:
    return [(step.what.split()[0], step.state) for step in plan_setup(account)]


def test_an_empty_account_gets_a_private_bucket_a_role_and_a_log_group() -> None:
    account = clients()
    assert {step.state for step in plan_setup(account)} == {"missing"}
    set_up(account)
    s3, iam = account.client("s3"), account.client("iam")
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == "eu-west-1"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    lifecycle = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}
    assert lifecycle["checkpoints"]["Filter"]["Prefix"] == "finetune/checkpoints/"
    assert lifecycle["checkpoints"]["Expiration"]["Days"] > 28, "the checkpoints of the longest job outlive it"
    role = iam.get_role(RoleName="finetune-flows")["Role"]
    assert role["Arn"] == account.role_arn
    assert role["AssumeRolePolicyDocument"] == policy.TRUST
    granted = iam.get_role_policy(RoleName="finetune-flows", PolicyName="finetune-flows")["PolicyDocument"]
    assert granted == policy.document(execution_statements(account))
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=LOG_GROUP)["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [90]


def test_a_second_time_nothing_is_due() -> None:
    set_up(clients())
    steps = plan_setup(clients())
    assert [step for step in steps if step.is_due] == []
    assert {step.state for step in steps} == {"there"}


def test_planning_changes_nothing() -> None:
    plan_setup(clients())
    with pytest.raises(ClientError):
        clients().client("s3").head_bucket(Bucket=BUCKET)
    assert clients().client("iam").list_roles()["Roles"] == []


def test_what_was_interrupted_is_completed() -> None:
    account = clients()
    for step in plan_setup(account)[:2]:  # the bucket and its tag, no more
        carry_out(account, step)
    assert [step.operation for step in plan_setup(account) if step.service == "s3"] == [
        "put_public_access_block",
        "put_bucket_encryption",
        "put_bucket_lifecycle_configuration",
    ]
    set_up(account)
    assert {state for _, state in states(account)} == {"there"}


def test_a_bucket_and_a_role_of_others_are_used_and_never_changed() -> None:
    account = clients(bucket="somebody", role="somebody")
    s3, iam = account.client("s3"), account.client("iam")
    s3.create_bucket(Bucket="somebody", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    iam.create_role(RoleName="somebody", AssumeRolePolicyDocument=json.dumps(trust))
    account.client("logs").create_log_group(logGroupName=LOG_GROUP)
    bucket, role, logs = plan_setup(account)
    assert (bucket.state, role.state, logs.state) == ("not ours",) * 3
    assert not bucket.is_due
    assert not role.is_due
    assert not logs.is_due
    assert "it has no public access block" in bucket.says
    assert "add sagemaker.amazonaws.com to its trust policy" in role.says
    assert iam.list_role_policies(RoleName="somebody")["PolicyNames"] == []


def test_a_bucket_in_another_region_is_told() -> None:
    account = clients(bucket="elsewhere")
    boto3.client("s3", "us-west-2").create_bucket(
        Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    step = plan_setup(account)[0]
    assert (step.state, step.is_due) == ("differs", False)
    assert "it is in us-west-2" in step.says


def test_a_recipe_that_needs_more_shows_what_its_role_would_get_in_addition() -> None:
    set_up(clients())
    more = clients(kms_key="1234abcd", subnets=["subnet-1"], security_groups=["sg-1"])
    step = next(step for step in plan_setup(more) if step.operation == "put_role_policy")
    assert step.state == "differs"
    assert "adds ec2:CreateNetworkInterface on *" in step.says
    assert "kms:Decrypt on arn:aws:kms:eu-west-1:123456789012:key/1234abcd" in step.says
    assert "takes away" not in step.says
    set_up(more)
    less = next(step for step in plan_setup(clients()) if step.operation == "put_role_policy")
    assert less.says.startswith("takes away ec2:")


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


def test_the_template_holds_the_same_and_deploys() -> None:
    account = clients()
    body = template(account)
    cloudformation = boto3.client("cloudformation", "eu-west-1")
    cloudformation.create_stack(
        StackName="finetune", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    assert cloudformation.describe_stacks(StackName="finetune")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    assert account.client("iam").get_role(RoleName="finetune-flows")["Role"]["Arn"] == account.role_arn
    (granted,) = body["Resources"]["Role"]["Properties"]["Policies"]
    assert granted["PolicyDocument"] == policy.document(execution_statements(account))
    assert account.client("s3").get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == "eu-west-1"


def run(*arguments: str, answer: str = "") -> Any:
    return CliRunner().invoke(app, ["setup", "aws", *arguments], input=answer)


def test_the_command_shows_and_asks_before_it_makes_anything() -> None:
    declined = run(answer="n\n")
    assert declined.exit_code == 0
    assert "create_bucket" in declined.output
    assert clients().client("iam").list_roles()["Roles"] == []
    confirmed = run("--yes")
    assert confirmed.exit_code == 0, confirmed.output
    assert {state for _, state in states(clients())} == {"there"}


def test_a_dry_run_prints_the_requests_and_the_callers_policy_and_makes_nothing() -> None:
    shown = json.loads(run("--dry-run", "--yes").output)
    assert [step["operation"] for step in shown["steps"]][:2] == ["create_bucket", "put_bucket_tagging"]
    passed = [each for each in shown["caller_policy"]["Statement"] if "iam:PassRole" in each["Action"]]
    assert [each["Resource"] for each in passed] == [["arn:aws:iam::123456789012:role/finetune-flows"]]
    assert clients().client("iam").list_roles()["Roles"] == []


def test_without_credentials_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for arguments in (["--cloudformation"], ["--dry-run"]):
        assert isinstance(run(*arguments).exception, EnvironmentProblem)


def test_the_template_can_be_printed() -> None:
    assert json.loads(run("--cloudformation").output) == template(clients())
