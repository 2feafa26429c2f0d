"""Who may import whom: flows -> tasks/*.py -> tasks/*/ ; training/ and containers/ stand alone; nothing goes in circles."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "finetune_flows."
OURS = ("flows", "tasks", "training", "containers")
SHARED = (
    "training.settings",
    "training.masks",
    "training.problems",
    "training.readers",
    "containers.serving.cleaning",
)  # what a job or a server has in common with us
FILES = sorted(path for top in OURS for path in Path(top).rglob("*.py"))
FOLDERS = (  # of tasks/, the ground floor first: each imports only from those before it
    "base",
    "sections",
    "sql",
    "aws",
    "endpoints",
    "problems",
    "recipe",
    "artifacts",
    "dataset",
    "evaluation",
    "monitoring",
    "preflight",
    "platforms",
    "exporting",
    "tuning",
    "reporting",
    "project",
)


def imports_of(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in it the import stands; ours without the package's own name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert not [name for name in names if top_of(name) in OURS], f"{path}: ours are imported from {PACKAGE}"
    return {name.removeprefix(PACKAGE) for name in names}


def top_of(name: str) -> str:
    return name.split(".")[0]


def module_of(name: str) -> Path | None:
    """The file that an imported name of ours comes from."""
    for length in range(len(name.split(".")), 0, -1):
        place = Path(*name.split(".")[:length])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.exists():
                return path
    return None


def folder_of(path: Path) -> str | None:
    """The folder of tasks/ that a file is in."""
    return path.parts[1] if path.parts[0] == "tasks" and len(path.parts) > 2 else None


def is_stage(path: Path) -> bool:
    return path.parts[0] == "tasks" and len(path.parts) == 2 and path.name != "__init__.py"


def allowed(path: Path, name: str) -> bool:
    target = module_of(name) if top_of(name) in OURS else None
    if path.parts[0] in ("training", "containers"):
        return top_of(name) == path.parts[0] if target else top_of(name) not in ("prefect", "boto3", "docker")
    if path.parts[0] == "flows":
        return top_of(name) not in ("training", "containers")
    if is_stage(path):
        return top_of(name) not in ("flows", "training", "containers")
    if target is None:
        return top_of(name) != "prefect"
    return name.startswith(SHARED) or (top_of(name) == "tasks" and not is_stage(target))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path) -> None:
    assert [name for name in imports_of(path) if not allowed(path, name)] == []


def test_folders_import_only_from_those_below() -> None:
    assert {path.name for path in Path("tasks").iterdir() if path.is_dir() and path.name != "__pycache__"} == {*FOLDERS}
    upward = []
    for path in FILES:
        for name in imports_of(path):
            target = module_of(name) if top_of(name) == "tasks" else None
            here, there = folder_of(path), folder_of(target) if target else None
            if here and there and FOLDERS.index(there) > FOLDERS.index(here):
                upward.append(f"{path} imports {name}")
    assert upward == []


def test_no_files_import_each_other() -> None:
    """An import inside a function counts too: it is the same circle, met later."""
    graph = {}
    for path in FILES:
        targets = {module_of(name) for name in imports_of(path) if top_of(name) in OURS}
        graph[path] = {target for target in targets if target and target != path}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        raise AssertionError(" -> ".join(map(str, circle.args[1]))) from None


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[0] in ("flows", "tasks")], ids=str)
def test_the_orchestrator_never_imports_torch(path: Path) -> None:
    assert {"torch", "trl", "peft", "bitsandbytes", "accelerate"}.isdisjoint(top_of(name) for name in imports_of(path))


@pytest.mark.parametrize("flow", ["finetune", "evaluate", "monitor", "promote", "retrain", "sweep", "cli"])
def test_a_flow_can_be_imported_where_torch_is_not(flow: str) -> None:
    """In a fresh interpreter in which any import of torch fails, as on a worker without it."""
    code = f"import sys; sys.modules['torch'] = None; import {PACKAGE}flows.{flow}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
