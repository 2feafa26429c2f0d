"""Runs the notebooks of examples/notebooks and saves them with what they show: `python -m scripts.run_notebooks`.

The home of the runs is a temporary folder; in the saved notebooks it is called ~/.finetune, as a user's is.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path("examples/notebooks")
_SECONDS = 900  # for one cell


def run_notebook(file: Path) -> nbformat.NotebookNode:
    """The notebook after all of its cells ran, in its own folder and with this process's environment.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(
        notebook, timeout=_SECONDS, record_timing=False, resources={"metadata": {"path": file.parent}}
    )
    return client.execute()


def main(names: list[str]) -> None:
    """Runs the notebooks of these names, or all."""
    for file in sorted(FOLDER.glob("*.ipynb")):
        if names and file.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as home:
            os.environ["FINETUNE_HOME"] = home
            text = nbformat.writes(run_notebook(file))
        text = text.replace(home, "~/.finetune").replace(str(Path.cwd()), "~/finetune-flows")
        file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
