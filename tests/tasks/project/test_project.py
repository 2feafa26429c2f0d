"""What `finetune init` and `finetune recipes` write can be run as it is, and nothing of the user's is overwritten."""

import json
from pathlib import Path

import pytest
import yaml

from finetune_flows.flows.cli import app
from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.preflight.sources import SOURCE_CHECKS
from finetune_flows.tasks.project.deployments import update_prefect_file
from finetune_flows.tasks.project.layout import lay_out, name_for, starters
from finetune_flows.tasks.project.shipped import copy_recipe, shipped_recipes
from finetune_flows.tasks.recipe import load_recipe

PROBLEMS = ["text-to-sql", "text-classification", "chat"]


def test_every_problem_has_a_starter() -> None:
    assert sorted(starters()) == sorted(PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_new_project_has_a_valid_recipe_whose_rows_are_all_good(
    problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new"
    files = lay_out(folder, problem, "tickets")
    assert [path.name for path in files] == ["tickets.yaml", "rows.jsonl", ".gitignore", "prefect.yaml"]
    monkeypatch.chdir(folder)
    recipe = load_recipe(files[0], checks=SOURCE_CHECKS)
    assert (recipe.name, recipe.problem.kind) == ("tickets", problem)
    assert recipe.dataset.source == str(folder / "rows.jsonl"), "paths count from the recipe's folder"
    assert "finetune run tickets.yaml" in files[0].read_text().splitlines()[0]
    (folder / "prepared").mkdir()
    audit = build_dataset(recipe.dataset, recipe.problem, None, folder / "prepared")
    assert audit.quarantined == 0
    assert min(audit.splits.values()) > 0


@pytest.mark.parametrize("existing", ["rows.jsonl", "prefect.yaml", "tickets.yaml"])
def test_a_file_of_the_users_is_never_overwritten(existing: str, tmp_path: Path) -> None:
    (tmp_path / existing).write_text("mine")
    with pytest.raises(RecipeError, match=f"{existing} exists already"):
        lay_out(tmp_path, "chat", "tickets")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {existing: "mine"}


@pytest.mark.parametrize(
    ("problem", "name", "says"),
    [("poetry", "a", "poetry is not one of text-to-sql, text-classification, chat"), ("chat", "No Name", "name: ")],
)
def test_a_wrong_choice_is_refused_before_anything_is_written(
    problem: str, name: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=says):
        lay_out(tmp_path / "new", problem, name)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Support Tickets!", "support-tickets"), ("x" * 60, "x" * 40), ("___", "project")],
)
def test_the_name_comes_from_the_folder(folder: str, name: str, tmp_path: Path) -> None:
    assert name_for(tmp_path / folder) == name


def test_the_deployments_follow_the_recipes_and_keep_what_is_the_users(tmp_path: Path) -> None:
    recipe, _, _, deployments = lay_out(tmp_path, "text-classification", "tickets")
    assert update_prefect_file(tmp_path) == [], "nothing changed"
    recipe.write_text(recipe.read_text().replace("epochs: 3", "epochs: 4"))
    deployments.write_text(deployments.read_text() + "# mine\n")
    (tmp_path / "second.yaml").write_text(recipe.read_text().replace("name: tickets", "name: second"))
    assert update_prefect_file(tmp_path) == ["second", "tickets"]
    text = deployments.read_text()
    assert text.endswith("# mine\n")
    content = yaml.safe_load(text)
    assert content["definitions"]["tickets"] == yaml.safe_load(recipe.read_text())
    by_name = {each["name"]: each for each in content["deployments"]}
    assert by_name["tickets"]["parameters"]["recipe"]["training"]["epochs"] == 4
    assert by_name["promote"]["parameters"]["name"] == "tickets"
    assert all(each["entrypoint"].startswith("finetune_flows.flows.") for each in content["deployments"])


@pytest.mark.parametrize("name", [recipe.name for recipe in shipped_recipes()])
def test_a_copied_recipe_is_where_its_rows_are(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = copy_recipe(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(f"{name}.yaml")
    if len(files) == 2:
        assert Path(recipe.dataset.source).is_file()
    with pytest.raises(RecipeError, match="exists already"):
        copy_recipe(name, tmp_path)


def test_the_commands_say_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    app(["init", "tickets", "--problem", "chat"], standalone_mode=False)
    assert "Next: cd tickets; finetune run tickets.yaml" in capsys.readouterr().out
    app(["recipes", "demo"], standalone_mode=False)
    assert "Next: finetune run demo.yaml" in capsys.readouterr().out
    app(["recipes", "--json"], standalone_mode=False)
    assert {each["name"] for each in json.loads(capsys.readouterr().out)} >= {"demo", "sentiment", "chat"}
    app(["recipes"], standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "demo (text-to-sql) The whole pipeline in minutes on two CPU cores" in shown
