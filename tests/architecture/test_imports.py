"""Who may import whom: flows -> tasks/*.py -> tasks/*/ ; training/ and containers/ stand alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = ("training.settings", "containers.serving.cleaning")  # what a job or a server has in common with us
OURS = ("flows", "tasks", "training", "containers")
FILES = sorted(path for top in OURS for path in Path(top).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top_of(name: str) -> str:
    return name.split(".")[0]


def layer(path: Path) -> str:
    if path.parts[0] == "tasks":
        stage = len(path.parts) == 2 and path.name not in ("__init__.py", "errors.py")
        return "stage" if stage else "domain"
    return path.parts[0]


def allowed(path: Path, name: str) -> bool:
    target = Path(*name.split(".")[:2]).with_suffix(".py")
    stage = target.parts[0] == "tasks" and target.exists() and target.name != "errors.py"
    match layer(path):
        case "flows":
            return top_of(name) not in ("training", "containers")
        case "stage":
            return top_of(name) not in ("flows", "training", "containers")
        case "domain":
            ours = top_of(name) in OURS
            permitted = (top_of(name) == "tasks" and not stage) or name.startswith(SHARED)
            return permitted if ours else top_of(name) != "prefect"
        case other:
            return top_of(name) == other if top_of(name) in OURS else top_of(name) not in ("prefect", "boto3", "docker")


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path) -> None:
    assert [name for name in imports_of(path) if not allowed(path, name)] == []


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[0] in ("flows", "tasks")], ids=str)
def test_the_orchestrator_never_imports_torch(path: Path) -> None:
    assert {"torch", "trl", "peft", "bitsandbytes", "accelerate"}.isdisjoint(top_of(name) for name in imports_of(path))


@pytest.mark.parametrize(
    "module",
    ["flows.finetune", "flows.evaluate", "flows.monitor", "flows.promote", "flows.retrain", "flows.sweep", "flows.cli"],
)
def test_a_flow_can_be_imported_where_torch_is_not(module: str) -> None:
    """In a fresh interpreter in which any import of torch fails, as on a worker without it."""
    code = f"import sys; sys.modules['torch'] = None; import {module}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
