import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.bad_inputs.command import files_below
from tests.support.tiny_model import tiny_rows

settings.register_profile("many", max_examples=3_000, deadline=None)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home, which must be empty after the refusal as well."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FINETUNE_HOME", str(folder))
    yield folder
    assert files_below(folder) == []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: sound rows, and a folder that looks like a model."""
    rows = "".join(json.dumps(row) + "\n" for row in tiny_rows(60))
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "nowhere.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
