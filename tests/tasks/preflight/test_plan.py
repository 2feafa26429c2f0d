"""`finetune plan` for SageMaker without credentials or network. The golden file holds the requests of the shipped recipe.

When a change of them is meant: GOLDEN=write python -m pytest tests/tasks/preflight/test_plan.py, and read the difference.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from finetune_flows.flows.cli import app

GOLDEN = Path(__file__).parent / "golden" / "text-to-sql-codellama-7b.json"
RECIPE = "recipes/text-to-sql-codellama-7b.yaml"


@pytest.fixture(autouse=True)
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither credentials nor a way to any."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def plan(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["plan", *arguments, "--json"])
    assert result.stdout, result.exception
    return result.exit_code, json.loads(result.stdout)


def sagemaker(*overrides: str) -> tuple[int, Any]:
    chosen = ["platform.region=us-east-1", "platform.training_instances=[ml.g5.2xlarge]", *overrides]
    return plan(RECIPE, "--platform", "sagemaker", *(part for each in chosen for part in ("--set", each)))


def without_times(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for request in requests:
        for tag in request["members"]["Tags"]:
            if tag["Key"] == "finetune:expires_at":
                tag["Value"] = "when it expires"
    return requests


def test_the_requests_of_the_shipped_recipe_are_those_of_the_golden_file() -> None:
    code, content = sagemaker()
    requests = without_times(content["requests"])
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(requests, indent=2) + "\n", encoding="utf-8")
    assert requests == json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert code == 2, "without credentials it cannot run"
    assert [each["what"] for each in content["findings"] if not each["ok"]] == ["credentials"]
    assert all("August 2026" in cost["price"]["source"] for cost in content["costs"])
    assert content["usd_at_most"] == round(1.515 * (24 + 1 + 1), 2)


def test_the_steps_are_told_and_none_is_made() -> None:
    _, content = sagemaker()
    assert [step["made"] for step in content["steps"]] == [None] * 5


def test_spot_vpc_and_key_are_in_the_requests_and_keep_awss_rules() -> None:
    _, content = sagemaker(
        "platform.spot=true",
        "platform.subnets=[subnet-0123]",
        "platform.security_groups=[sg-0123]",
        "platform.kms_key=alias/mine",
        "platform.network_isolation=true",
        "platform.training_instances=[ml.p3.2xlarge]",
    )
    assert [each["what"] for each in content["findings"] if not each["ok"]] == ["credentials"]
    job = content["requests"][0]["members"]
    assert job["EnableManagedSpotTraining"]
    assert job["StoppingCondition"]["MaxWaitTimeInSeconds"] >= job["StoppingCondition"]["MaxRuntimeInSeconds"]
    assert job["ResourceConfig"]["VolumeKmsKeyId"] == "alias/mine"
    assert job["VpcConfig"] == {"Subnets": ["subnet-0123"], "SecurityGroupIds": ["sg-0123"]}


def test_a_model_is_spread_over_all_gpus_of_the_serving_instance() -> None:
    _, content = sagemaker("platform.serving_instance=ml.g5.12xlarge", "model.source=codellama/CodeLlama-34b-hf")
    models = [each["members"] for each in content["requests"] if each["operation"] == "CreateModel"]
    shares = [model["PrimaryContainer"]["Environment"]["SM_VLLM_TENSOR_PARALLEL_SIZE"] for model in models]
    assert shares == ["4", "4"]
    (memory,) = (each["found"] for each in content["findings"] if each["what"] == "memory, serving")
    assert memory.startswith("fits on ml.g5.12xlarge")


def test_an_image_that_aws_does_not_have_is_a_problem_and_the_rest_is_still_shown() -> None:
    _, content = sagemaker("platform.serving_version=0.0.1")
    problems = {each["what"]: each["found"] for each in content["findings"] if not each["ok"]}
    assert "0.0.1" in problems["serving image"]
    assert [request["operation"] for request in content["requests"]] == ["CreateTrainingJob"]


def test_on_this_machine_it_costs_nothing() -> None:
    result = CliRunner().invoke(app, ["plan", "recipes/demo.yaml"])
    assert result.exit_code == 0, result.exception
    assert "It costs nothing but this machine's time." in result.stdout


def test_the_tables_name_every_request_and_the_sum() -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["plan", RECIPE, "--platform", "sagemaker"])
    assert result.exit_code == 2
    for words in ("CreateTrainingJob", "CreateEndpoint", "total", "no region is set", "us-east-1"):
        assert words in result.stdout  # single cells of a table: longer sentences are folded
