import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.problems.text_to_sql.extract import extract_sql


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("SELECT a FROM t;", "SELECT a FROM t"),
        ("  select a from t  ", "select a from t"),
        ("Here it is:\n```sql\nSELECT a\nFROM t;\n```\nIt selects a with care.", "SELECT a\nFROM t"),
        ("```\nSELECT 1\n```", "SELECT 1"),
        ("```SELECT 1```", "SELECT 1"),
        ("```sql SELECT 1 ```", "SELECT 1"),
        ("```sql\nSELECT a FROM t", "SELECT a FROM t"),  # cut off at the token limit
        ("```python\nprint(1)\n```\n```sql\nSELECT 2\n```", "SELECT 2"),
        ("You can select the rows with this: SELECT a FROM t\n\nThis query reads t.", "SELECT a FROM t"),
        ("Select the names like so:\nSELECT name FROM t", "SELECT name FROM t"),
        ("With pleasure! The query is: select a from t", "select a from t"),
        ("WITH q AS (SELECT 1) SELECT * FROM q", "WITH q AS (SELECT 1) SELECT * FROM q"),
        ("with recursive q(n) as (select 1) select n from q", "with recursive q(n) as (select 1) select n from q"),
        ("WITH q (a) AS (SELECT 1) SELECT a FROM q", "WITH q (a) AS (SELECT 1) SELECT a FROM q"),
        ("(SELECT 1) UNION (SELECT 2); DROP TABLE t", "(SELECT 1) UNION (SELECT 2)"),
        ("SELECT a FROM t WHERE b = 'x; y' AND c = 'it''s';", "SELECT a FROM t WHERE b = 'x; y' AND c = 'it''s'"),
        ('SELECT a FROM t WHERE b = "x;y"', 'SELECT a FROM t WHERE b = "x;y"'),
        ("SELECT a FROM t WHERE b = 'x\n\ny'", "SELECT a FROM t WHERE b = 'x\n\ny'"),
        ("SELECT a FROM t WHERE b = 'unclosed", "SELECT a FROM t WHERE b = 'unclosed"),
        ("<think>SELECT wrong FROM t?</think>SELECT right FROM t", "SELECT right FROM t"),
        ("I do not know.", "I do not know."),
        ("DROP TABLE t", "DROP TABLE t"),
        ("", ""),
    ],
)
def test_the_query_is_found(text: str, sql: str) -> None:
    assert extract_sql(text) == sql


@settings(deadline=None)
@given(st.text(alphabet="selctSELCTfrom wih(`'\";\n", max_size=200))
def test_extraction_never_fails_and_is_stable(text: str) -> None:
    once = extract_sql(text)
    assert extract_sql(once) in once


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "'" * 49_999,
        "SELECT " + "('" * 20_001,
        "```" * 20_001,
        "x select " * 20_000,
        "with a " * 20_000,
        "<think>" * 20_000,
        "SELECT 1\n" + " \t" * 50_000,
        "\n \n" * 20_000,
        "(" * 50_000,
    ],
)
def test_extraction_of_a_degenerate_answer_is_quick(text: str) -> None:
    start = time.process_time()
    extract_sql(text)
    assert time.process_time() - start < 2
