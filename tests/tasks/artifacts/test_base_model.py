"""Where a platform finds the base model that it converts."""

import sys
from pathlib import Path

import pytest

from finetune_flows.tasks.artifacts.base_model import stage
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.recipe import ModelSection


@pytest.mark.parametrize("inside", ["weights.gguf", "model"])
def test_weights_inside_a_package_are_read_from_our_home(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "some_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "weights.gguf").write_text("weights")
    (package / "model" / "config.json").write_text("weights")
    monkeypatch.setattr(sys, "path", [*sys.path, str(package.parent)])
    store, seen = Store(tmp_path / "home"), list[Path]()

    def convert(source: Path, output: Path, chat_template: str | None) -> None:
        seen.append(source)
        found = source / "config.json" if source.is_dir() else source
        (output / "model.txt").write_text(found.read_text())

    staged = stage(ModelSection(source=f"package:some_weights/{inside}"), "k" * 64, store, convert)
    assert (staged.path / "model.txt").read_text() == "weights"
    assert seen[0].is_relative_to(tmp_path / "home"), "an engine on the machine outside a container sees nothing else"
    assert not seen[0].exists(), "the copy is gone"
