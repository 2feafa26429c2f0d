"""What compose.yaml ends with: deployments that its worker can run."""

from pathlib import Path
from typing import Any

import yaml

from finetune_flows.containers.orchestrator.deployments import for_containers


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(Path("compose.yaml").read_text(encoding="utf-8"))["services"])


def test_every_deployed_recipe_runs_in_containers_and_keeps_a_platform_that_it_names() -> None:
    content = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))
    content["deployments"][0]["parameters"]["recipe"]["platform"] = {"kind": "sagemaker"}
    recipes = [each.get("parameters", {}).get("recipe") for each in for_containers(content)["deployments"]]
    first, *others = [recipe for recipe in recipes if recipe]
    assert first["platform"] == {"kind": "sagemaker"}
    assert len(others) > 3
    assert all(recipe["platform"] == {"kind": "docker"} for recipe in others if recipe is not first)


def test_the_image_holds_what_the_deployments_name_and_the_build_gets_all_that_it_copies() -> None:
    lines = Path("containers/orchestrator/Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]}
    assert {"recipes", "examples", "prefect.yaml"} <= copied
    permitted = [line[1:] for line in Path(".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"]
    for source in copied:
        assert any(source == each or f"{source}/".startswith(each.removesuffix("**")) for each in permitted), source


def test_the_worker_waits_for_the_deployments_and_its_runs_link_to_their_reports() -> None:
    services = compose()
    assert services["worker"]["depends_on"] == {"deploy": {"condition": "service_completed_successfully"}}
    assert "deploy --all" in services["deploy"]["command"][-1]
    served = services["worker"]["environment"]["FINETUNE_REPORTS_URL"]
    assert f"{served.removeprefix('http://')}:4201" == services["reports"]["ports"][0]
