"""Paths in a recipe file count from its folder."""

import logging
from pathlib import Path

import pytest

from finetune_flows.tasks.recipe import dump_recipe, load_recipe, load_saved_recipe

RECIPE = """
name: a
problem: {kind: chat}
dataset: {source: rows.jsonl, test_source: "tests/*.jsonl", mix_with: [{source: more}]}
model: {source: owner/model, revision: main, chat_template: chatml}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "more").mkdir()
    (folder / "tests" / "a.jsonl").touch()
    (folder / "rows.jsonl").touch()
    (folder / "recipe.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return folder


def test_paths_count_from_the_folder_of_the_recipe(project: Path) -> None:
    recipe = load_recipe(Path("project/recipe.yaml"))
    assert (recipe.dataset.source, recipe.dataset.test_source) == ("project/rows.jsonl", "project/tests/*.jsonl")
    assert recipe.dataset.mix_with[0].source == "project/more"
    assert (recipe.model.source, recipe.model.chat_template) == ("owner/model", "chatml")
    assert load_recipe(project / "recipe.yaml").dataset.source == str(project / "rows.jsonl")


def test_a_path_from_the_command_line_counts_from_the_working_directory(project: Path) -> None:
    Path("other.jsonl").touch()
    (project / "other.jsonl").touch()
    assert load_recipe(Path("project/recipe.yaml"), ["dataset.source=other.jsonl"]).dataset.source == "other.jsonl"


def test_a_path_that_exists_from_the_working_directory_only_is_accepted_and_told(
    project: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("finetune"), "propagate", True)
    (project / "rows.jsonl").rename("rows.jsonl")
    with caplog.at_level(logging.DEBUG, "finetune"):
        assert load_recipe(Path("project/recipe.yaml")).dataset.source == "rows.jsonl"
    assert "source: rows.jsonl counts from the working directory; project/rows.jsonl does not exist" in caplog.text
    caplog.clear()
    monkeypatch.chdir(project)
    with caplog.at_level(logging.DEBUG, "finetune"):
        assert load_recipe(Path("recipe.yaml")).dataset.source == "rows.jsonl"
    assert caplog.text == ""


def test_a_path_that_is_nowhere_and_one_that_is_no_path_stay(project: Path) -> None:
    text = RECIPE.replace("rows.jsonl", "s3://bucket/rows.jsonl").replace("owner/model", "package:demo/model.gguf")
    (project / "recipe.yaml").write_text(text.replace("{source: more}", "{source: none.jsonl}"))
    recipe = load_recipe(Path("project/recipe.yaml"))
    assert (recipe.dataset.source, recipe.model.source) == ("s3://bucket/rows.jsonl", "package:demo/model.gguf")
    assert recipe.dataset.mix_with[0].source == "none.jsonl"


def test_the_paths_of_a_saved_recipe_stay_as_they_were_in_the_run(project: Path) -> None:
    (project / "rows.jsonl").touch()
    Path("saved.yaml").write_text(dump_recipe(load_recipe(project / "recipe.yaml", ["dataset.source=rows.jsonl"])))
    Path("saved.yaml").rename(project / "saved.yaml")
    assert load_saved_recipe(project / "saved.yaml").dataset.source == "rows.jsonl"
