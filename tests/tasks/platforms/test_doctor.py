"""What `doctor` says of the engines that judge SQL."""

import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from finetune_flows.tasks.platforms import doctor
from finetune_flows.tasks.preflight.findings import Finding


def sql_judge() -> Finding:
    return next(finding for finding in doctor.examine() if finding.what == "SQL judge")


def test_each_dialect_has_its_engine_named() -> None:
    found = sql_judge()
    assert f"sqlite: SQLite {sqlite3.sqlite_version}; duckdb: DuckDB " in found.found
    assert found.ok


def test_a_missing_engine_is_no_fault_and_comes_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("finetune_flows.tasks.sql.engines.private_server.os.access", lambda *_: False)
    found = sql_judge()
    assert "mysql: by translation to SQLite" in found.found
    assert "for mysql: pip install 'finetune-flows[databases]' and apt install mariadb-server" in found.advice
    assert found.ok


def readers() -> list[Finding]:
    return [finding for finding in doctor.examine() if finding.what.startswith("reader")]


def test_environments_that_read_models_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_READERS", f"{sys.executable}:/nowhere/python")
    here, nowhere = readers()
    assert here.found == f"transformers {version('transformers')}: {sys.executable}"
    assert here.ok
    assert "No such file" in nowhere.found
    assert not nowhere.ok


def test_no_other_environment_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINETUNE_READERS", raising=False)
    (finding,) = readers()
    assert (finding.found, finding.ok) == ("none", True)
    assert "set FINETUNE_READERS" in finding.advice


def test_a_home_that_cannot_be_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "file" / "home"))
    (home,) = [finding for finding in doctor.examine() if finding.what == "home"]
    assert not home.ok
    assert "cannot be made" in home.found
