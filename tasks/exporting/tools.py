"""Converters, each installed by `finetune setup export` into a folder of its own.

Not into our environment: each of them wants versions of libraries that would replace those that training needs.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.programs import child_environment

_LONGEST_SECONDS = 6 * 3600  # for the largest models on a slow disk


class Tool(NamedTuple):
    """A converter that runs in our Python."""

    module: str
    """The module or package that it is imported as."""
    packages: tuple[str, ...]
    """What pip installs, each with its version, and without what they depend on: that is here already."""

    @property
    def name(self) -> str:
        """Package and version."""
        return self.packages[0]

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return home() / "tools" / self.name

    @property
    def is_here(self) -> bool:
        """Whether it is installed."""
        return (self.folder / self.module).is_dir() or (self.folder / f"{self.module}.py").is_file()

    def install(self) -> None:
        """Installs it. Does nothing if it is there. Raises EnvironmentProblem when pip fails."""
        if self.is_here:
            return
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(self.folder)]
        run([*command, *self.packages], f"{self.name} cannot be installed", os.environ)

    def environment(self) -> dict[str, str]:
        """The environment of a program that imports it. Raises EnvironmentProblem when it is not installed."""
        if not self.is_here:
            raise EnvironmentProblem(f"{self.name} is not installed here. Next: finetune setup export")
        inherited = child_environment()
        return inherited | {"PYTHONPATH": os.pathsep.join([str(self.folder), inherited["PYTHONPATH"]])}


def run(command: list[str], failure: str, environment: Mapping[str, str]) -> None:
    """Runs a program. Raises EnvironmentProblem with the last line of its output, or when it does not end."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=_LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"{failure}: not done after {_LONGEST_SECONDS // 3600} hours") from None
    if result.returncode:
        raise EnvironmentProblem(f"{failure}: {last_line(result.stderr or result.stdout, result.returncode)}")


def last_line(output: str, status: int) -> str:
    """The last line of a program's output, or its exit status."""
    lines = output.strip().splitlines()
    return lines[-1] if lines else f"exit status {status}"
