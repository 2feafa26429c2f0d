"""Secrets whose variables the recipe itself names: who gets them, and that nothing keeps them."""

from pathlib import Path
from typing import Any

import pytest

from finetune_flows.flows.finetune import finetune
from finetune_flows.tasks.evaluation.files import read_scores
from finetune_flows.tasks.recipe import parse_recipe
from tests.support.database_servers import execute, postgres
from tests.support.planted_secrets import PLANTED, in_files, plant, prefect_database, watched
from tests.support.tiny_model import TABLES


@pytest.mark.slow
def test_only_the_workers_that_judge_on_a_database_get_its_password(
    home: Path, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres() as owner:
        tables = (
            f"CREATE TABLE {name} ({', '.join(f'{each} TEXT' for each in columns)})" for name, columns in TABLES.items()
        )
        execute(owner, f"CREATE ROLE reader LOGIN PASSWORD '{PLANTED['WAREHOUSE']}'", *tables)
        execute(owner, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        source = f"postgresql://reader@127.0.0.1:{owner.port}/postgres"
        content["problem"]["judging"] |= {"real_databases": {"source": source, "password_variable": "WAREHOUSE"}}
        content["model"]["token_variable"] = "GATED"
        plant(monkeypatch)
        with watched(home) as leaks:
            outcome = finetune(parse_recipe(content, "tiny"))
    assert "execution_real" in read_scores(outcome.evaluation).metrics
    assert leaks, "the workers were seen"
    assert {leak.split(" of ")[0] for leak in leaks} == {"WAREHOUSE is in the environment"}
    assert all("tasks.sql.worker" in leak for leak in leaks), leaks
    assert in_files(home.parent, prefect_database()) == []
    assert "-planted-" not in caplog.text
