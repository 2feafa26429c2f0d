import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.problems.text_to_sql.extract import extract_sql, holds_query


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


GOLDS = [
    ("sqlite", "SELECT name FROM ship"),
    ("sqlite", "select name from ship where port = 'St. John''s; north'"),
    ("sqlite", 'SELECT [two words], "odd ""name" FROM `order details` WHERE a <> b -- who\'s who; really\nORDER BY 1'),
    ("sqlite", "VALUES (1, 'a'), (2, 'b')"),
    (
        "sqlite",
        "WITH RECURSIVE n(x) AS (\n  SELECT 1\n\n  UNION ALL\n\n  SELECT x + 1 FROM n\n)\n\nSELECT x\n\nFROM n\n\nWHERE x > 2",
    ),
    ("sqlite", "(SELECT a FROM t) EXCEPT SELECT b\n\nFROM u\n\nINTERSECT\n\nSELECT c\n\nFROM v"),
    ("sqlite", '/* the owner\'s; "ships" */ SELECT name\n\n-- one; two\n\nFROM ship'),
    (
        "sqlite",
        "SELECT CASE WHEN a > 1 THEN 'x'\n\nELSE 'z' END AS size FROM t\n\nGROUP BY size\n\nHAVING COUNT(*) > 1",
    ),
    ("sqlite", "SELECT Name, (SELECT MAX(Tons) FROM Ship) FROM Ship WHERE Port_Id IN (SELECT Id FROM Port)"),
    ("mysql", "SELECT `group`, SUM(`unit price`) FROM `order details` # it's; here\nGROUP BY `group`"),
    ("mysql", 'SELECT name FROM ship WHERE note = \'it\\\'s; "fine"\' AND port = "O\'Hara; \\" x"'),
    ("mysql", "TABLE ship ORDER BY name LIMIT 3"),
    ("mysql", "SELECT name FROM ship\n\nWHERE built > DATE_SUB(NOW(), INTERVAL 1 YEAR)\n\nGROUP BY name WITH ROLLUP"),
    ("postgres", 'SELECT $tag$it\'s; "x"\n\n$tag$ || $$;$$ FROM ship'),
    ("postgres", "SELECT built::date, data->>'query' FROM ship WHERE data @> '{\"query\": \"SELECT 1; x\"}'"),
    ("postgres", "TABLE ship"),
    (
        "postgres",
        "SELECT E'it\\'s; so' FROM ship\n\nUNION ALL\n\nSELECT name FROM ship\n\nWHERE name ~* '^a;'\n\nFETCH FIRST 3 ROWS ONLY",
    ),
    (
        "postgres",
        "SELECT COUNT(*) FILTER (WHERE a > 3)\n\nFROM ship AS s\n\nLEFT JOIN LATERAL (SELECT 1) AS x ON TRUE\n\nGROUP BY b",
    ),
    ("duckdb", "FROM ship"),
    ("duckdb", "FROM ship AS s\n\nSELECT name, tons\n\nWHERE tons > 3"),
    ("duckdb", "from read_csv('ships; all.csv') select count(*)"),
    ("duckdb", "PIVOT ship ON port USING SUM(tons) GROUP BY name"),
    ("duckdb", "UNPIVOT ship ON jan, feb INTO NAME month VALUE tons"),
    (
        "duckdb",
        "SELECT name, COUNT(*) FROM ship GROUP BY ALL\n\nQUALIFY ROW_NUMBER() OVER (ORDER BY name) = 1\n\nORDER BY ALL",
    ),
    ("duckdb", "SELECT {'sql': 'SELECT 1'} AS s, tags[1:2], list_transform(tags, x -> x + 1) FROM ship"),
]
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "nothing": lambda gold: gold,
    "semicolon": lambda gold: f"{gold};",
    "fence": lambda gold: (
        f"Here is the query:\n\n```sql\n{gold};\n```\n\nIt selects the rows from the table; don't worry."
    ),
    "fence of no language": lambda gold: f"```\n{gold}\n```",
    "tildes": lambda gold: f"~~~sql\n{gold}\n~~~\nThat's it.",
    "fence on one line": lambda gold: f"```sql {gold} ```",
    "fence that is cut off": lambda gold: f"```sql\n{gold}",
    "inline code": lambda gold: f"You can use `{gold}` for that.",
    "inline code alone": lambda gold: f"`{gold}`",
    "double backticks": lambda gold: f"Use `` {gold} `` here.",
    "sql tag": lambda gold: f"<sql>{gold}</sql>",
    "answer tag": lambda gold: f"I select from a table.\n<answer>\n```sql\n{gold}\n```\n</answer>",
    "LangChain": lambda gold: f'Question: what?\nSQLQuery: "{gold}"\nSQLResult: "3"\nAnswer: There are 3.',
    "LangChain without quotes": lambda gold: f"SQLQuery: {gold}\nSQLResult: [(3,)]\nAnswer: 3",
    "LangChain stopped": lambda gold: f'SQLQuery: "{gold}"',
    "JSON": lambda gold: json.dumps({"explanation": "I select with care", "query": gold, "confidence": 1}),
    "fenced JSON": lambda gold: f"```json\n{json.dumps({'sql': gold}, indent=2)}\n```",
    "JSON in prose": lambda gold: f"Sure! {json.dumps({'thoughts': 'a', 'sql_query': gold})} I hope it helps.",
    "fence in JSON": lambda gold: json.dumps({"sql": f"```sql\n{gold}\n```"}),
    "last fence": lambda gold: (
        f"First:\n```sql\nSELECT 0\n```\nThat was wrong. The corrected query:\n```sql\n{gold}\n```"
    ),
    "alternative": lambda gold: f"```sql\n{gold}\n```\nAlternatively, use:\n```sql\nSELECT 0\n```\n",
    "first of two": lambda gold: f"```sql\n{gold}\n```\nor\n```sql\nSELECT 0\n```\nI would use the first one.",
    "complete fence": lambda gold: f"```sql\n{gold}\n```\nIn other words:\n```sql\nSELECT 0",
    "schema before": lambda gold: f"```sql\nCREATE TABLE t (a INT)\n```\nThe query:\n```sql\n{gold}\n```",
    "thoughts": lambda gold: f"<think>```sql\nSELECT 0\n```? It's hard.\n\nSELECT 1</think>\n\n{gold}",
    "prose before": lambda gold: f"With pleasure! The query is: {gold}",
    "prose after": lambda gold: f"{gold}\n\nWhere the name is missing, the row isn't counted.",
    "a heading after": lambda gold: f"{gold}\n\n**Explanation:** it's simple",
    "prose around": lambda gold: f"The query:\n\n{gold}\nThis query reads the whole table and counts.",
    "list": lambda gold: f"1. Find the table.\n2. Select the rows:\n\n   {gold}\n",
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize(("dialect", "gold"), GOLDS)
def test_every_gold_comes_out_of_every_wrapping(dialect: str, gold: str, wrapping: str) -> None:
    assert extract_sql(WRAPPINGS[wrapping](gold), dialect) == gold


@pytest.mark.parametrize(
    "gold",
    [
        "SELECT name FROM ship WHERE note = '```sql' OR note = '<sql>SELECT</sql>' OR note = '</sql>'",
        "-- all; it's\nSELECT name FROM ship\n\n-- by name\n\n",
        "SELECT name\n\nFROM ship\n\nwhere port = 'x'\n\ngroup by name",
    ],
)
def test_a_gold_as_it_stands_is_taken_whole(gold: str) -> None:
    assert extract_sql(gold) == gold.strip()


@pytest.mark.parametrize(
    "text", ["DROP TABLE city", "CREATE TABLE t (a INT)", "I cannot answer that.", "Values differ.", ""]
)
def test_what_holds_no_query_is_none(text: str) -> None:
    assert not holds_query(text)
    assert extract_sql(text, "duckdb") == text


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
        "with /*" * 20_000,
        "with --with\n" * 10_000,
        '{"sql": "' * 20_000,
        '"' + "sql " * 40_000,
        "<sql><answer>" * 10_000,
        "~~~\n" * 30_000,
        "SELECT 1\n\n" + "where a\n\n" * 20_000,
        "SELECT 1" + "\n\nWhere" * 20_000,
        "SELECT a" + "\nThis is a" * 20_000,
        "x" + "\n" * 100_000 + "SELECT 1" + "\n" * 100_000 + "x",
        "SELECT $a$" + "$b$ $c" * 20_000,
        "SQLQuery: " + '"' * 100_000,
        "from t " * 20_000,
        "`SELECT " + "` `" * 30_000,
        "SELECT 1 /*" + "/*" * 50_000,
        '"\\' * 50_000,
        '"SELECT ' + '"a"' * 40_000,
        "SELECT 1" + "\n\n-- c" * 30_000,
        "SELECT 1\nThis" + " a" * 50_000 + "x?",
    ],
)
@pytest.mark.parametrize("dialect", ["mysql", "duckdb"])
def test_extraction_of_a_degenerate_answer_is_quick(text: str, dialect: str) -> None:
    start = time.process_time()
    extract_sql(text, dialect)
    assert time.process_time() - start < 2
