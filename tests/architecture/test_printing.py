"""Nothing is printed around the console that takes no text for markup (tasks/base/terminal.py)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CONSOLE = Path("tasks/base/terminal.py")
PROGRAMS = (Path("tasks/recipe/reference.py"),)  # what is run by itself, and writes a file to standard output
FILES = sorted(path for top in ("flows", "tasks") for path in Path(top).rglob("*.py") if path != CONSOLE)


def around(path: Path) -> Iterator[str]:
    """Calls that print, or read markup, in another way."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in ("rich", "rich.console", "rich.markup"):
            yield f"{path}:{node.lineno} imports {node.module}"
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        markup = [
            ast.unparse(each.value) for each in node.keywords if each.arg in ("markup", "emoji", "rich_markup_mode")
        ]
        if name == "print" and path not in PROGRAMS:
            yield f"{path}:{node.lineno} calls print"
        if name.endswith((".from_markup", "typer.echo", "typer.secho")):
            yield f"{path}:{node.lineno} calls {name}"
        if name == "TextColumn" and markup != ["False"]:
            yield f"{path}:{node.lineno} shows a TextColumn that reads markup"
        if name.endswith("Typer") and markup != ["None"]:
            yield f"{path}:{node.lineno} makes commands whose help reads markup"
        if set(markup) - {"False", "None"}:
            yield f"{path}:{node.lineno} switches markup on"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_what_is_printed_goes_through_our_console(path: Path) -> None:
    assert list(around(path)) == []


def test_a_file_that_prints_by_itself_is_found(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from rich.console import Console\nprint(1)\nout.print('[b]', markup=True)\nTextColumn('x')\nTyper()\nText.from_markup('x')"
    )
    assert len(list(around(path))) == 6
