"""Where jobs and endpoints run."""

from tasks.platforms.contract import Platform
from tasks.platforms.process import ProcessRunner
from tasks.recipe import Platform as PlatformSection


def platform_of(section: PlatformSection) -> Platform:
    """The platform that a recipe's section names."""
    return ProcessRunner(python=section.python)
