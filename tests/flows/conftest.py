"""A Prefect server for the session, and a home of its own for every test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from finetune_flows.tasks.artifacts.references import Kind
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.recipe import Recipe, parse_recipe
from tests.support.session_server import session_server
from tests.support.tiny_model import build_tiny_model, tiny_recipe


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    with session_server():
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "home"
    monkeypatch.setenv("FINETUNE_HOME", str(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # For commands that a test starts: they report to the session's server instead of starting their own.
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    monkeypatch.setenv("PREFECT_LOCAL_STORAGE_PATH", str(tmp_path / "results"))
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "results"}):
        yield folder
    runner = ProcessRunner(root=folder)
    for alias in runner.aliases():
        runner.delete_alias(alias.name)
    for endpoint in runner.endpoints():
        runner.delete_endpoint(endpoint.name)
    for job in (folder / "jobs").glob("*"):
        runner.stop_job(job.name)


@pytest.fixture
def kept(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, shared by all workers, that keeps the artefacts and answers which the test leaves in its home."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kept"
    yield folder
    store = Store(home / "artifacts")
    whole = [made for made in store.root.glob("*/*") if store.find(cast(Kind, made.parent.name), made.name)]
    for made in [*whole, *home.glob("predictions/*")]:
        place = folder / made.relative_to(home)
        if not place.exists():
            draft = tmp_path_factory.mktemp("draft") / "copy"
            shutil.copytree(made, draft)
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # another worker was first
                draft.rename(place)


@pytest.fixture
def reused(home: Path, kept: Path) -> None:
    """For tests of what comes after a training: what tests before made from the same inputs is found, and not made again."""
    if kept.exists():
        shutil.copytree(kept, home)


@pytest.fixture
def content(tmp_path: Path, tiny_model: Path) -> dict[str, Any]:
    """A recipe of seconds, as YAML would hold it: a real model, really trained and served."""
    return tiny_recipe(tmp_path, tiny_model)


@pytest.fixture
def recipe(content: dict[str, Any]) -> Recipe:
    return parse_recipe(content, "tiny")
