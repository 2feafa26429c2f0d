"""Starting our programs as separate processes, from any working directory."""

import contextlib
import hashlib
import os
import sys
from pathlib import Path

from finetune_flows.tasks.base.files import PACKAGE, home


def program(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Command line of `finetune_flows.<module>`, run by the interpreter `python` with `import_path` as PYTHONPATH."""
    # -P: the working directory may contain a user's own `datasets` or `tokenizers`, which Python would import instead.
    return [python, "-u", "-P", "-m", f"finetune_flows.{module}", *arguments]


def script(file: Path, *arguments: str) -> list[str]:
    """Command line of one of our files that imports nothing else of ours.

    As a module, it would first import the packages that contain it: pydantic and all platforms, in half a second.
    """
    return [sys.executable, "-u", "-P", str(file), *arguments]


def import_path() -> str:
    """PYTHONPATH with our package first, for an interpreter in which it is perhaps not installed.

    The folder holds a link to the package and nothing else. The package's own folder would not do: where we are
    installed that is site-packages, and another interpreter would find all our libraries before its own.
    """
    package = PACKAGE.resolve()
    folder = home() / "code" / hashlib.sha256(str(package).encode()).hexdigest()[:12]  # several versions, one home
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (folder / PACKAGE.name).symlink_to(package)
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(folder)]
    return os.pathsep.join([str(folder), *inherited])
