"""Programs of ours that run in processes of their own, whatever folder they are started in."""

import os
import sys

from finetune_flows.tasks.base.files import PACKAGE


def program(module: str, *arguments: str, python: str | None = None) -> list[str]:
    """Command line of `finetune_flows.<module>`, run by the interpreter `python`, by default ours."""
    # -P: the folder that it is started in may hold a `datasets` or `tokenizers` of the user's own.
    return [python or sys.executable, "-u", "-P", "-m", f"finetune_flows.{module}", *arguments]


def import_path() -> str:
    """PYTHONPATH with our code first, for an interpreter that it is not installed for."""
    return os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
