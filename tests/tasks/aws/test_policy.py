"""Policies against the code and against the page: no call without its permission, no permission without its reason."""

import ast
import itertools
import re
from pathlib import Path

import boto3
import pytest

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.policy import Statement
from finetune_flows.tasks.aws.policy_caller import caller_statements
from finetune_flows.tasks.aws.policy_execution import execution_statements
from finetune_flows.tasks.aws.policy_setup import setup_statements
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

PAGE = Path("docs/aws.md").read_text(encoding="utf-8")
# Names in IAM of the services that a run calls, where each method has an action of its own.
SERVICES = {
    "sagemaker": "sagemaker",
    "logs": "logs",
    "cloudwatch": "cloudwatch",
    "application-autoscaling": "application-autoscaling",
    "service-quotas": "servicequotas",
    "pricing": "pricing",
    "iam": "iam",
    "ecr": "ecr",
    "cloudformation": "cloudformation",
}
OF_RUNS = [Path("tasks/platforms/sagemaker"), Path("tasks/preflight"), Path("tasks/monitoring")]
OF_SET_UP = [Path("tasks/aws/stack.py"), Path("tasks/aws/setup.py")]


def everything() -> Clients:
    section = SageMakerPlatform(region="eu-west-1", kms_key="1234", subnets=["subnet-1"], security_groups=["sg-1"])
    return Clients(section, account="123456789012")


def statements() -> list[Statement]:
    return [
        *execution_statements(everything()),
        *caller_statements(everything()),
        *setup_statements(everything()),
    ]


def called(modules: list[Path]) -> dict[str, str]:
    """IAM action of each boto3 method that these modules name, by method."""
    methods = {
        method: f"{prefix}:{operation}"
        for service, prefix in SERVICES.items()
        for method, operation in boto3.client(service, "us-east-1").meta.method_to_api_mapping.items()
        if "_" in method  # `search` is a method of SageMaker's client, too
    }
    nodes = itertools.chain.from_iterable(ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in modules)
    names = {
        node.attr if isinstance(node, ast.Attribute) else node.value
        for node in nodes
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    }
    return {name: methods[name] for name in names if name in methods}


def test_whoever_starts_runs_may_call_all_that_a_run_calls() -> None:
    granted = {action for statement in caller_statements(everything()) for action in statement.actions}
    calls = called([path for folder in OF_RUNS for path in folder.glob("*.py")])
    assert len(calls) > 20
    assert set(calls.values()) - granted == set()


def test_whoever_sets_up_may_call_all_that_the_set_up_calls() -> None:
    granted = {action for statement in setup_statements(everything()) for action in statement.actions}
    pages = {"cloudformation:DescribeChangeSet", "cloudformation:DescribeStackEvents"}  # by get_paginator
    calls = called(OF_SET_UP)
    assert pages <= set(calls.values())
    assert set(calls.values()) - granted == set()


def test_the_set_up_reaches_no_stack_bucket_or_role_but_its_own() -> None:
    for statement in setup_statements(everything()):
        assert statement.resources != ["*"] or statement.sid == "FindLogs"


def test_nothing_is_granted_by_wildcard() -> None:
    assert not any("*" in action for statement in statements() for action in statement.actions)


@pytest.mark.parametrize("statement", statements(), ids=lambda statement: statement.sid)
def test_the_page_gives_each_permission_with_its_reason(statement: Statement) -> None:
    actions = ", ".join(f"`{action}`" for action in statement.actions)
    row = f"| {statement.sid} | {actions} | {statement.reason} |"
    assert row in PAGE, f"docs/aws.md lacks this row:\n{row}"


def test_the_page_names_no_permission_that_is_not_asked_for() -> None:
    known = {statement.sid for statement in statements()}
    rows = re.findall(r"^\| (\w+) \| `[\w-]+:\w+`", PAGE, re.MULTILINE)
    assert rows
    assert set(rows) <= known
