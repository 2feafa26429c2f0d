"""Installed from the wheel, in the project of a user whose own folders have the names of ours and of our libraries."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from tests import ROOT
from tests.support.tiny_model import build_tiny_model, tiny_recipe

pytestmark = pytest.mark.slow
THEIRS = ("flows", "tasks", "training", "containers", "datasets", "tests", "evaluate")


@pytest.fixture(scope="module")
def finetune(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that holds the wheel; the libraries are this environment's."""
    folder = tmp_path_factory.mktemp("installed")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
    ]
    subprocess.run([*build, ROOT], check=True)
    environment = folder / "venv"
    venv.create(environment, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    # A .pth in that folder is not read, so the checkout's editable install is not found there.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    wheel = next(folder.glob("*.whl"))
    install = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", "--no-deps"]
    subprocess.run([*install, "--quiet", "--no-index", "--ignore-installed", wheel], check=True)
    return environment / "bin" / "finetune"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in THEIRS:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise ImportError('the user\\'s {name} was imported')\n")
    return folder


def run(command: Path, project: Path, *arguments: str) -> dict[str, Any]:
    hidden = ("PYTHONPATH", "PREFECT_API_URL", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"FINETUNE_HOME": str(project.parent / "home"), "PREFECT_HOME": str(project.parent / "prefect")}
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [str(command), *arguments, "--json"], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_a_recipe_runs_beside_folders_of_our_names(
    finetune: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    recipe = project / "mine.yaml"
    recipe.write_text(yaml.safe_dump(tiny_recipe(tmp_path, build_tiny_model(tmp_path / "base"))))
    try:
        outcome = run(finetune, project, "run", "mine.yaml")
        assert Path(outcome["model"]["uri"], "model", "config.json").exists()
        assert outcome["promoted"]
    finally:
        runner = ProcessRunner(root=tmp_path / "home")
        for alias in runner.aliases():
            runner.delete_alias(alias.name)
        for endpoint in runner.endpoints():
            runner.delete_endpoint(endpoint.name)


def test_what_docker_builds_from_comes_with_the_wheel(finetune: Path, project: Path) -> None:
    code = (
        "import json; from finetune_flows.tasks.platforms.docker import images; "
        "print(json.dumps({kind: sorted(images.context_files(kind)) for kind in images.CONTEXTS}))"
    )
    python = finetune.with_name("python")
    result = subprocess.run([python, "-P", "-c", code], cwd=project, capture_output=True, text=True, check=True)
    files = json.loads(result.stdout)
    assert {"containers/training/Dockerfile", "training/__main__.py", "training/templates/chatml.jinja"} <= set(
        files["training"]
    )
    assert {"containers/serving/Dockerfile", "containers/serving/__main__.py"} <= set(files["serving"])
