"""Functions stay small enough to read at once."""

import ast
from pathlib import Path

import pytest

LONGEST = 40
MOST_PARAMETERS = 6
FILES = sorted(path for top in ("flows", "tasks", "training", "containers") for path in Path(top).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_functions_are_short_and_take_few_parameters(path: Path) -> None:
    found = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    ]
    long = [node.name for node in found if (node.end_lineno or 0) - node.lineno >= LONGEST]
    assert long == []
    if path.parts[:2] != ("flows", "cli"):  # there each parameter is an option of a command
        assert [node.name for node in found if parameters(node) > MOST_PARAMETERS] == []


def parameters(function: ast.FunctionDef) -> int:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([each for each in given if each.arg not in ("self", "cls")])
