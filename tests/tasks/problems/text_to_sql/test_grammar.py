"""The grammar of a schema: every shipped answer fits it, what cannot run does not."""

import json
from functools import cache

import pytest
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer

from finetune_flows.tasks.problems.text_to_sql.grammar import sql_grammar
from tests import ROOT
from tests.support.tiny_model import tiny_tokenizer

ROWS = ROOT / "examples/text-to-sql/rows.jsonl"
CONTEXT = "CREATE TABLE Ship (Name TEXT, tonnes INTEGER, port_id INT); CREATE TABLE port (id INT, `two words` TEXT, größe REAL)"


@cache
def tokenizer() -> LLTokenizer:
    return from_tokenizer(tiny_tokenizer())


def fits(sql: str, context: str = CONTEXT, dialect: str = "sqlite") -> bool:
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
        "",
    ],
)
def test_what_cannot_run_does_not_fit(sql):
    assert not fits(sql)


def test_no_grammar_without_a_schema():
    assert sql_grammar("no schema at all", "sqlite") is None
