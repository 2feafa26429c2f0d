"""The grammar of a schema: every shipped answer fits it, what cannot run does not."""

import json
import time
from functools import cache

import pytest
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer

from finetune_flows.tasks.problems.text_to_sql.grammar import sql_grammar
from tests import ROOT
from tests.support.tiny_model import tiny_tokenizer

ROWS = ROOT / "examples/text-to-sql/rows.jsonl"
CONTEXT = 'CREATE TABLE Ship (Name TEXT, tonnes INTEGER, port_id INT); CREATE TABLE port (id INT, "two words" TEXT, größe REAL)'


@cache
def tokenizer() -> LLTokenizer:
    return from_tokenizer(tiny_tokenizer())


def fits(sql: str, context: str = CONTEXT, dialect: str = "sqlite") -> bool:
    context = context.replace('"', "`") if dialect == "mysql" else context
    grammar = sql_grammar(context, dialect)
    assert grammar
    matcher = LLMatcher(tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    tokens = tiny_tokenizer()(sql, add_special_tokens=False)["input_ids"]
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def test_every_shipped_answer_fits():
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()][::5]
    assert [row["answer"] for row in rows if not fits(row["answer"], row["context"])] == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM ship",
        "select Name from Ship where tonnes > 3 and (name = 'O''Hara' or name is not null);",
        "SELECT COUNT(*), COUNT(DISTINCT T2.id) FROM Ship AS T1 LEFT JOIN port T2 ON T1.port_id = T2.id GROUP BY T2.id HAVING COUNT(*) > 2",
        "SELECT `two words`, größe FROM port ORDER BY größe DESC NULLS LAST LIMIT 3 OFFSET 1",
        "SELECT CASE WHEN tonnes > 3 THEN 'big' ELSE 'small' END AS size FROM ship",
        "WITH cte_big AS (SELECT * FROM ship WHERE tonnes > 100) SELECT * FROM cte_big",
        "SELECT name FROM ship WHERE port_id IN (SELECT id FROM port) EXCEPT SELECT name FROM ship WHERE NOT tonnes BETWEEN 1 AND -2",
        "SELECT name, RANK() OVER (PARTITION BY port_id ORDER BY tonnes DESC) FROM ship",
        "SELECT CAST(tonnes AS DECIMAL(10, 2)) FROM ship, port WHERE EXISTS (SELECT 1 FROM port)",
    ],
)
def test_queries_of_the_schema_fit(sql):
    assert fits(sql)


BY_DIALECT = {
    "sqlite": [
        "SELECT substr(name, 1, 4) AS y, COUNT(*) FROM ship GROUP BY y HAVING y > '1' ORDER BY y",
        "SELECT name FROM ship WHERE name LIKE '50!%' ESCAPE '!' AND name = 'x' COLLATE NOCASE AND name GLOB 'a*'",
        "SELECT strftime('%Y', name), total(tonnes) FILTER (WHERE tonnes > 3) FROM ship LIMIT -1 OFFSET 2",
        "SELECT json_extract(name, '$.a'), name ->> '$.b' FROM ship, json_each(ship.name) AS j WHERE j.value IS NOT 3",
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT name FROM ship AS s WHERE tonnes = (SELECT MAX(tonnes) FROM ship WHERE port_id = s.port_id) AND ~tonnes & 1 << 2",
        "SELECT CAST(strftime('%Y', 'now') AS INTEGER) - 3, IIF(tonnes IS NULL, 0, tonnes) FROM main.ship",
        "SELECT 'x' || name AS 'the name' FROM ship UNION ALL SELECT NULL ORDER BY 1",
    ],
    "mysql": [
        "SELECT name FROM ship WHERE built < DATE_SUB(NOW(), INTERVAL 1 YEAR)".replace("built", "name"),
        "SELECT DATE_FORMAT(name, '%Y-%m') AS m, SUM(tonnes) FROM ship GROUP BY m WITH ROLLUP HAVING SUM(tonnes) > 3",
        "SELECT GROUP_CONCAT(DISTINCT name ORDER BY name SEPARATOR '; ') FROM ship",
        "SELECT TIMESTAMPDIFF(DAY, name, CURRENT_DATE), EXTRACT(YEAR FROM name), tonnes DIV 3, tonnes MOD 2 FROM ship".replace(
            "DAY", "tonnes"
        ),
        "SELECT name FROM ship WHERE NOT (tonnes <=> NULL) AND name REGEXP '^a' AND name = \"it's\" XOR tonnes IS TRUE",
        "SELECT CONVERT(tonnes, SIGNED), CONVERT(name USING utf8), BINARY name FROM ship STRAIGHT_JOIN port ON ship.port_id = port.id",
        "SELECT IF(DAYNAME(name) = 'Sunday', 1, 0), SUBSTRING_INDEX(name, ' ', -1), name->>'$.a' FROM ship LIMIT 2, 3",
        "SELECT name, ROW_NUMBER() OVER w FROM ship WINDOW w AS (PARTITION BY port_id ORDER BY tonnes)",
        "TABLE ship ORDER BY name LIMIT 3",
    ],
    "postgres": [
        "SELECT EXTRACT(YEAR FROM name), DATE_TRUNC('month', name::timestamp with time zone)::date FROM public.ship",
        "SELECT STRING_AGG(name, ', ' ORDER BY name DESC), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY tonnes) FROM ship",
        "SELECT DISTINCT ON (port_id) name FROM ship ORDER BY port_id, tonnes DESC NULLS LAST FETCH FIRST 3 ROWS WITH TIES",
        "SELECT name FROM ship WHERE name ~* '^a' AND name ILIKE 'b%' AND name = ANY(ARRAY['x', 'y']) AND tonnes IS DISTINCT FROM 3",
        "SELECT name::jsonb -> 'a' ->> 'b', name::jsonb @> '{\"a\": 1}', (ARRAY[1, 2])[1] FROM ship",
        "SELECT SUM(tonnes) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM ship JOIN port USING (id)",
        "SELECT name FROM ship WHERE name::date >= CURRENT_DATE - INTERVAL '30 days' AND name::date AT TIME ZONE 'UTC' < now()",
        "SELECT d::date, COUNT(s.name) FROM generate_series('2024-01-01'::date, '2024-02-01', '1 day') AS d LEFT JOIN ship s ON TRUE GROUP BY d",
        "SELECT p.id, x.name FROM port p CROSS JOIN LATERAL (SELECT name FROM ship WHERE port_id = p.id LIMIT 1) x",
        "SELECT port_id, COUNT(*) FROM ship GROUP BY GROUPING SETS ((port_id), ()) EXCEPT ALL SELECT 1, 2",
        "SELECT TRIM(BOTH 'x' FROM name), SUBSTRING(name FROM 1 FOR 2), POSITION('a' IN name), OVERLAY(name, 'b', 1) FROM ship",
    ],
    "duckdb": [
        "FROM ship",
        "FROM ship AS s SELECT s.name WHERE tonnes > 3 ORDER BY ALL",
        "PIVOT ship ON name USING SUM(tonnes) GROUP BY port_id",
        "UNPIVOT ship ON tonnes, port_id INTO NAME kind VALUE amount",
        "SELECT name, COUNT(*) FROM ship GROUP BY ALL QUALIFY ROW_NUMBER() OVER (PARTITION BY port_id ORDER BY tonnes) = 1",
        "SELECT * EXCLUDE (port_id) REPLACE (tonnes * 2 AS tonnes) FROM ship ASOF JOIN port ON ship.port_id >= port.id",
        "SELECT name[1:2], list_transform([1, 2], x -> x + 1), {'a': tonnes, 'b': [1, 2]}, tonnes // 2 ** 3 FROM ship",
        "SELECT date_diff('year', DATE '2024-01-01', name::date), INTERVAL 7 DAY, INTERVAL (tonnes) MONTH FROM ship",
        "SELECT name FROM ship UNION ALL BY NAME SELECT name FROM ship",
        "SELECT unnest(string_split(name, ' ')) AS word, COUNT(*) FROM ship GROUP BY word HAVING COUNT(*) > 1",
        "SELECT TRY_CAST(name AS DECIMAL(10, 2)), tonnes::INT[] FROM ship SEMI JOIN port ON ship.port_id = port.id",
    ],
}


@pytest.mark.parametrize(("dialect", "sql"), [(dialect, sql) for dialect, each in BY_DIALECT.items() for sql in each])
def test_queries_of_a_dialect_fit(dialect, sql):
    assert fits(sql, dialect=dialect)


@pytest.mark.parametrize("dialect", BY_DIALECT)
@pytest.mark.parametrize(
    "sql",
    [
        "WITH t AS (SELECT port_id, SUM(tonnes) AS load FROM ship GROUP BY port_id) SELECT p.id, t.load FROM port p JOIN t ON t.port_id = p.id",
        "WITH heavy(who) AS (SELECT name FROM ship), more AS (SELECT who FROM heavy) SELECT COUNT(who) FROM more WHERE who <> 'x'",
        "SELECT port_id, total FROM (SELECT port_id, SUM(tonnes) AS total FROM ship GROUP BY port_id) t WHERE total > 3 ORDER BY total",
        "SELECT AVG(max_load) FROM (SELECT MAX(tonnes) AS max_load FROM ship GROUP BY port_id) AS x JOIN port ON TRUE",
        "SELECT name AS label, COUNT(*) AS ships FROM ship GROUP BY label HAVING ships > 2 ORDER BY ships DESC, label",
        "SELECT name, CASE tonnes WHEN 1 THEN 'a' ELSE NULL END FROM ship WHERE (name, tonnes) IN (SELECT name, MAX(tonnes) FROM ship GROUP BY name)",
    ],
)
def test_names_that_a_query_makes_itself_fit(dialect, sql):
    assert fits(sql, dialect=dialect)


def test_views_and_added_columns_belong_to_the_schema():
    context = "CREATE TABLE s.ship (name TEXT); ALTER TABLE s.ship ADD COLUMN tonnes INT; CREATE VIEW heavy AS SELECT name AS who FROM s.ship"
    for sql in ("SELECT who FROM heavy", "SELECT tonnes FROM s.ship", "SELECT heavy.who FROM heavy"):
        assert fits(sql, context, "postgres")
    assert not fits("SELECT colour FROM heavy", context, "postgres")


@pytest.mark.parametrize("dialect", BY_DIALECT)
def test_a_grammar_is_small_and_quickly_read(dialect):
    start = time.process_time()
    grammar = sql_grammar("CREATE TABLE ship (name TEXT)", dialect)
    assert grammar
    assert len(grammar) < 40_000
    assert not LLMatcher(tokenizer(), LLMatcher.grammar_from_lark(grammar), log_level=0).is_error()
    assert time.process_time() - start < 2


@pytest.mark.parametrize("dialect", BY_DIALECT)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM boat",
        "SELECT colour FROM ship",
        "SELECT namefrom ship",
        "SELECTname FROM ship",
        "SELECT name FROM ship WHERE",
        "SELECT (name FROM ship",
        "SELECT name FROM ship; DROP TABLE ship",
        "DELETE FROM ship",
        "The query is SELECT name FROM ship",
        "```sql SELECT name FROM ship```",
        "ſELECT name FROM ship",
        "SELECT colour AS c FROM ship GROUP BY c",
        "SELECT name FROM ship WHERE owner = 'x'",
        "SELECT name FROM ship GROUP BY owner",
        "SELECT name FROM ship JOIN boat ON TRUE",
        "SELECT name FROM ship WHERE port_id IN (SELECT berth FROM port)",
        "SELECT colour FROM (SELECT name FROM ship) t",
        "SELECT name FROM ship WHERE system('ls') = 1",
        "WITH t AS (DELETE FROM ship) SELECT 1",
        "",
    ],
)
def test_what_cannot_run_does_not_fit(sql, dialect):
    assert not fits(sql, dialect=dialect)


def test_no_grammar_without_a_schema():
    assert sql_grammar("no schema at all", "sqlite") is None
