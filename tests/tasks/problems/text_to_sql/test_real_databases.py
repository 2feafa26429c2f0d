"""Real databases, from the recipe to the score."""

import json
import sqlite3
from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import EnvironmentProblem, RecipeError, TryLater
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.endpoints.answers import TestRow, read_test_rows
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from finetune_flows.tasks.problems.text_to_sql.real import check_real_databases
from finetune_flows.tasks.problems.text_to_sql.settings import RealDatabases, SqlJudging
from finetune_flows.tasks.problems.text_to_sql.verdicts import judge
from finetune_flows.tasks.recipe import load_recipe
from finetune_flows.tasks.sections.stages import DatasetSection

CONTEXT = "CREATE TABLE city (id INTEGER, name TEXT, country TEXT, people INTEGER)"
GOLD = "SELECT name FROM city WHERE people > 150"


def problems_of(*overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(Path("recipes/demo.yaml"), overrides)
    return "\n".join(caught.value.problems)


SOURCE = "problem.judging.real_databases.source"


@pytest.mark.parametrize("url", ["postgresql://reader:hunter2@host/shop", "mysql://host/shop?password=hunter2"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    told = problems_of(f"{SOURCE}={url}")
    assert "put it into an environment variable" in told
    assert "hunter2" not in told
    assert "hunter2" not in problems_of(f"problem.judging.real_databases={url}")


def test_a_source_that_cannot_work_is_refused() -> None:
    assert "problem.database names no column" in problems_of(f"{SOURCE}=databases/{{database}}.sqlite")
    assert "oracle:// is not one of" in problems_of(f"{SOURCE}=oracle://host/shop")
    for file in ("shop.sqlite", "duckdb:///shop.duckdb"):
        overrides = (f"{SOURCE}={file}", "problem.judging.real_databases.password_variable=X")
        assert "has no password" in problems_of(*overrides)
    assert "needs problem.judging.real_databases" in problems_of("evaluation.metric=execution_real")


def test_a_recipe_may_name_them_and_gate_on_their_score() -> None:
    overrides = [f"{SOURCE}=db/{{database}}.sqlite", "problem.database=db_id", "evaluation.metric=execution_real"]
    recipe = load_recipe(Path("recipes/demo.yaml"), overrides)
    assert recipe.problem.judging.real_databases
    assert recipe.problem.judging.real_databases.source == "db/{database}.sqlite"


def test_the_name_of_the_database_travels_with_the_row(tmp_path: Path) -> None:
    """And a row whose name would lead elsewhere is unusable."""
    names = ["peru", "chile", "../../etc/passwd", "", "a/b"]
    lines = [
        {
            "question": f"How many in {n}?",
            "context": CONTEXT.replace("city", f"city{n}"),
            "answer": f"SELECT {n} FROM city{n}",
            "db_id": name,
        }
        for n, name in enumerate(names)
    ]
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    section = DatasetSection(source=str(source), test_share=0.4, validation_share=0.0, max_quarantined=1.0)
    audit = build_dataset(section, TextToSql(database="db_id"), None, tmp_path / "out")
    rows = read_test_rows(tmp_path / "out" / "test.parquet", 10)
    assert {row.fields["database"] for row in rows} <= {"peru", "chile"}
    assert rows
    quarantined = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert len(quarantined) == 3
    assert audit


def row(name: str, gold: str) -> TestRow:
    fields = {"question": "?", "context": CONTEXT, "answer": gold, "database": name}
    return TestRow(id=f"{name} {gold}", prompt=[], fields=fields)


def test_the_score_stands_beside_the_one_on_made_up_databases(tmp_path: Path) -> None:
    for name in ("peru", "chile"):
        path = tmp_path / name / f"{name}.sqlite"
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.execute(CONTEXT)
            rows_of = [(n, f"City {n}", name.title(), 10 * n) for n in range(1, 31)]
            connection.executemany("INSERT INTO city VALUES (?, ?, ?, ?)", rows_of)
        connection.close()
    real = RealDatabases(source=f"{tmp_path}/{{database}}/{{database}}.sqlite", connections=2)
    judging = SqlJudging(databases=3, real_databases=real)
    gold = "SELECT name FROM city WHERE country = 'Peru'"
    rows = [row("peru", gold), row("chile", gold), row("peru", GOLD)]
    check_real_databases(real, rows)
    answers = {rows[0].id: "SELECT name FROM city", rows[1].id: gold, rows[2].id: GOLD}
    verdicts = judge(rows, answers, "sqlite", judging).verdicts
    assert [verdict.outcomes["execution"] for verdict in verdicts] == [False, True, True]
    # The first answer is right by luck of the data, the second finds nothing there: made-up rows are the stricter judge.
    assert [verdict.outcomes["execution_real"] for verdict in verdicts] == [True, None, True]
    plain = judge(rows, answers, "sqlite", SqlJudging(databases=3)).verdicts
    assert "execution_real" not in plain[0].outcomes


def test_a_database_that_is_gone_stops_the_scoring_and_counts_nothing_as_wrong(tmp_path: Path) -> None:
    real = RealDatabases(source=f"{tmp_path}/{{database}}.sqlite")
    rows = [row("gone", GOLD)]
    with pytest.raises(EnvironmentProblem, match=r"gone\.sqlite"):
        check_real_databases(real, rows)
    with pytest.raises(TryLater, match=r"gone\.sqlite"):
        judge(rows, {rows[0].id: GOLD}, "sqlite", SqlJudging(databases=1, real_databases=real))
