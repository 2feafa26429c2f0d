"""Queries of one template: what is left without values and aliases."""

import pytest
import sqlglot

from finetune_flows.tasks.problems.text_to_sql.template import query_template

QUERY = "SELECT T1.name AS who FROM ship AS T1 JOIN port AS T2 ON T1.port = T2.id WHERE T2.city = 'Oslo' AND tons IN (1, 2) LIMIT 3"


def template(sql: str) -> str:
    return query_template(sqlglot.parse_one(sql, read="sqlite"))


@pytest.mark.parametrize(
    "same",
    [
        "select s.NAME from ship s join port p on s.port = p.id where p.city = 'Rome' and tons in (7) limit 9".replace(
            ".NAME", ".NAME x"
        ),
        QUERY.replace("T1", "ships").replace("'Oslo'", "'it''s'"),
        f"/* why */ {QUERY} -- so",
    ],
)
def test_values_aliases_and_spelling_do_not_count(same: str) -> None:
    assert template(same) == template(QUERY)


@pytest.mark.parametrize(
    "change", [("name", "id"), ("port AS", "city AS"), (" LIMIT 3", ""), ("tons IN (1, 2)", "tons > 1")]
)
def test_columns_tables_and_clauses_count(change: tuple[str, str]) -> None:
    assert template(QUERY.replace(*change)) != template(QUERY)
