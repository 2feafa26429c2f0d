"""What the pages and help texts tell a reader to type is typed here."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from finetune_flows.flows.cli import app

PAGES = sorted(
    {path for name in ("*.md", "docs/*.md", "[!.]*/README.md", "*/*/README.md") for path in Path().glob(name)}
)
OF_NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]  # which names what is gone
CLI = typer.main.get_command(app)


def commands_of(
    command: TyperCommand | TyperGroup, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from commands_of(below, (*path, name))
    else:
        yield path, command


def parse(line: str) -> None:
    """Raises a usage error when `finetune ...` is not a command line that we understand."""
    command, arguments = CLI, list(takewhile(lambda word: word not in (">", "|"), shlex.split(line, comments=True)))[1:]
    context = typer.Context(CLI)
    while isinstance(command, TyperGroup):
        _, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command = found
    command.make_context(command.name, arguments)


COMMANDS = list(commands_of(CLI))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_every_help_text_has_an_example_that_can_be_typed(
    path: tuple[str, ...], command: TyperCommand | TyperGroup
) -> None:
    examples = re.findall(r"^\s*Example: (finetune .*)$", command.help or "", re.MULTILINE)
    assert examples, f"{' '.join(path)} has no example"
    for example in examples:
        assert example.startswith("finetune " + " ".join(path))
        parse(example)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_on_a_page_can_be_typed(page: Path) -> None:
    makefile = Path("Makefile").read_text(encoding="utf-8")
    for line in re.findall(r"^(?:\$ )?(\S*(?:finetune|make) .*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        program, *rest = shlex.split(line, comments=True)
        if program.endswith("finetune"):
            parse(line)
        elif program == "make":
            assert re.search(rf"^{rest[0]}:", makefile, re.MULTILINE), line


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]+)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
        assert not anchor or anchor in anchors(page.parent / target), f"{target}#{anchor}"


@pytest.mark.parametrize("page", OF_NOW, ids=str)
def test_every_file_and_folder_named_on_a_page_exists(page: Path) -> None:
    folders = "benchmarks|containers|docs|examples|findings|flows|recipes|scripts|tasks|tests|training"
    for name in re.findall(rf"`((?:{folders})/[\w./*-]*)`", page.read_text(encoding="utf-8")):
        assert list(Path().glob(name)), f"{page} names {name}"


def test_the_python_of_the_readme_prints_what_it_says() -> None:
    code = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(encoding="utf-8"), re.DOTALL)
    for block in code:
        expected = re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)
        result = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)
        assert result.stdout.splitlines() == expected, result.stderr


def test_the_recipes_named_in_the_readme_are_those_that_ship() -> None:
    named = set(re.findall(r"\(recipes/([\w-]+\.yaml)\)", Path("README.md").read_text(encoding="utf-8")))
    assert named == {path.name for path in Path("recipes").glob("*.yaml")}
