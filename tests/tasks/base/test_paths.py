"""Names that a person wrote, and places on disk."""

from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import FinetuneError
from finetune_flows.tasks.base.paths import directly_in
from finetune_flows.tasks.platforms.process.runner import ProcessRunner

PATHS = ["", ".", "..", "../..", "/", "a/b", "../neighbour", "a/../../b", "a\0b"]


@pytest.mark.parametrize("name", PATHS)
def test_a_name_does_not_lead_out_of_its_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(FinetuneError, match="is no name"):
        directly_in(tmp_path, name)


@pytest.mark.parametrize("name", ["demo", "demo-1a2b3c4d", "..a", "a b", "é"])
def test_any_other_name_is_a_place_in_the_folder(name: str, tmp_path: Path) -> None:
    assert directly_in(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "../../neighbour"])
def test_nothing_else_is_deleted_by_the_name_of_an_endpoint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, neighbour = tmp_path / "home", tmp_path / "neighbour" / "file"
    monkeypatch.setenv("FINETUNE_HOME", str(home))
    kept = [home / "endpoints" / "other" / "endpoint.json", home / "aliases" / "other" / "alias.json", neighbour]
    for file in kept:
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    runner = ProcessRunner(root=home)
    for act in (runner.delete_endpoint, runner.delete_alias, runner.endpoint_log):
        with pytest.raises(FinetuneError, match="is no name"):
            act(name)
    assert all(file.exists() for file in kept)
