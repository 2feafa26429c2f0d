"""Starting our programs as separate processes, from any working directory."""

import os
import sys

from finetune_flows.tasks.base.files import PACKAGE


def program(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Command line of `finetune_flows.<module>`, run by the interpreter `python`."""
    # -P: the working directory may contain a user's own `datasets` or `tokenizers`, which Python would import instead.
    return [python, "-u", "-P", "-m", f"finetune_flows.{module}", *arguments]


def import_path() -> str:
    """PYTHONPATH with our code first, for an interpreter in which our code is not installed."""
    return os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
