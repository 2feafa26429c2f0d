"""The notebooks of examples/notebooks: saved with what they show, and running today."""

from pathlib import Path

import nbformat
import pytest

from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from scripts.run_notebooks import FOLDER, run_notebook

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("file", NOTEBOOKS, ids=[file.stem for file in NOTEBOOKS])


def shown(notebook: nbformat.NotebookNode) -> str:
    """What the cells of a notebook show below them, as HTML or text."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(
        output.get("text") or output["data"].get("text/html") or output["data"]["text/plain"] for output in outputs
    )


def test_there_is_one_for_each_problem() -> None:
    assert [file.stem for file in NOTEBOOKS] == ["chat", "text-classification", "text-to-sql"]


@each_notebook
def test_it_is_saved_with_what_it_shows(file: Path) -> None:
    text = shown(nbformat.read(file, as_version=4))
    for words in ("promoted", "difference, paired", "<svg", "~/.finetune/runs/", " now leads to "):
        assert words in text, words
    assert "Traceback" not in text


@pytest.mark.slow
@each_notebook
def test_it_runs(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path))
    try:
        notebook = run_notebook(file)
    finally:
        platform = ProcessRunner(root=tmp_path)
        for alias in platform.aliases():
            platform.delete_alias(alias.name)
        for endpoint in platform.endpoints():
            platform.delete_endpoint(endpoint.name)
    assert "difference, paired" in shown(notebook)
    [below_the_run] = [cell.outputs for cell in notebook.cells if cell.source == "outcome = finetune(recipe)"]
    assert len(below_the_run) == 1, "one area, rewritten in place"
